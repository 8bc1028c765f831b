// Line diffs, as an element.
import { h } from "./dom.js";

const most = 2000; // lines of a text that are compared
const around = 3; // lines that are shown around a difference

/** lines compares two texts: a list of [mark, text], where mark is " ", "-" or "+". */
export function lines(before, after) {
  let a = before.split("\n");
  let b = after.split("\n");
  if (before === "") a = [];
  if (after === "") b = [];
  if (a.length > most || b.length > most) {
    return [...a.map((text) => ["-", text]), ...b.map((text) => ["+", text])];
  }
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = a.slice(0, start).map((text) => [" ", text]);
  const rest = a.slice(a.length - end).map((text) => [" ", text]);
  a = a.slice(start, a.length - end);
  b = b.slice(start, b.length - end);
  // The lengths of the longest common subsequences of a[i:] and b[j:].
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i * width + j] = a[i] === b[j] ? length[(i + 1) * width + j + 1] + 1 : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      same.push([" ", a[i++]]);
      j++;
    } else if (j === b.length || (i < a.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) {
      same.push(["-", a[i++]]);
    } else {
      same.push(["+", b[j++]]);
    }
  }
  return same.concat(rest);
}

/** diff is an element that shows how two texts differ, or says that they don't. */
export function diff(before, after) {
  const all = lines(before, after);
  const near = all.map(() => false);
  let changed = 0;
  all.forEach(([mark], i) => {
    if (mark === " ") return;
    changed++;
    for (let j = Math.max(0, i - around); j <= Math.min(all.length - 1, i + around); j++) near[j] = true;
  });
  if (!changed) return h("p", { class: "hint" }, "Nothing has changed.");
  const box = h("pre", { class: "diff", tabindex: "0", "aria-label": `${changed} changed lines` });
  let gap = false;
  all.forEach(([mark, text], i) => {
    if (!near[i]) {
      if (!gap) box.append(h("span", { class: "line same" }, "  …\n"));
      gap = true;
      return;
    }
    gap = false;
    const tag = mark === "-" ? "del" : mark === "+" ? "ins" : "span";
    box.append(h(tag, { class: "line" }, `${mark} ${text}\n`));
  });
  return box;
}
