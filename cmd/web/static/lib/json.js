// JSON that keeps numbers as they are written: a browser's own numbers lose digits beyond 2^53.

const canKeep = typeof JSON.rawJSON === "function";

/** exact says whether this browser keeps all numbers of a text. */
export function exact(text) {
  if (canKeep) return true;
  return !/(?<![\w"\\.])-?\d{16,}|\d[eE.]\d{12,}/.test(text);
}

/** parse is JSON.parse; numbers that the browser can't hold stay texts of their own. */
export function parse(text) {
  if (!canKeep) return JSON.parse(text);
  return JSON.parse(text, (key, value, context) =>
    typeof value === "number" && context && context.source !== String(value) ? JSON.rawJSON(context.source) : value);
}

/** write is JSON.stringify with indentation. */
export function write(value) {
  return JSON.stringify(value, null, 2) ?? "";
}

/** isNumber also knows the numbers that parse keeps as texts. */
export function isNumber(value) {
  return typeof value === "number" || (canKeep && JSON.isRawJSON(value));
}

/** numberText is a number as it was written. */
export function numberText(value) {
  return canKeep && JSON.isRawJSON(value) ? value.rawJSON : String(value);
}

/** number reads a number of a field; undefined if the text is none. */
export function number(text) {
  text = text.trim();
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  if (String(value) === text || !canKeep) return value;
  return JSON.rawJSON(text);
}

/** pointer adds a key to a JSON pointer. */
export function pointer(at, key) {
  return at + "/" + String(key).replaceAll("~", "~0").replaceAll("/", "~1");
}
