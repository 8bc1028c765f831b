// How well an entry of the palette fits what was typed.

/**
 * score is how well a title fits a text: 0 for not at all. All words of the text must be in it, each as the beginning of a word, anywhere, or at least as
 * letters in order. Titles that begin with the text come first, short ones before long ones.
 */
export function score(title, text) {
  const full = title.toLowerCase()
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (!words.length) return 1
  let sum = 0
  for (const word of words) {
    const one = full.startsWith(word) ? 100 : begins(full, word) ? 70 : full.includes(word) ? 40 : inOrder(full, word) ? 10 : 0
    if (!one) return 0
    sum += one
  }
  return sum / words.length + (full === words.join(' ') ? 50 : 0) + 10 / (10 + title.length)
}

function begins(full, word) {
  for (let at = full.indexOf(word); at > 0; at = full.indexOf(word, at + 1)) {
    if (!/[\p{L}\p{N}]/u.test(full[at - 1])) return true
  }
  return false
}

// The letters come in order, the first of them at the beginning of a word.
function inOrder(full, word) {
  if (word.length < 2) return false
  for (let from = full.indexOf(word[0]); from >= 0; from = full.indexOf(word[0], from + 1)) {
    if (from > 0 && /[\p{L}\p{N}]/u.test(full[from - 1])) continue
    let at = from
    for (const letter of word) at = at < 0 ? at : full.indexOf(letter, at) + 1 || -1
    return at > 0
  }
  return false
}
