package fault

import (
	"fmt"
	"strconv"
	"strings"
)

// Clip shortens a text for a message to at most most characters, with … in place of the rest.
func Clip(s string, most int) string {
	for i := range s {
		if most == 0 {
			return s[:i] + "…"
		}
		most--
	}
	return s
}

// Quote puts a text in quotes for a message, and shortens it to 60 characters.
func Quote(s string) string { return strconv.Quote(Clip(s, 60)) }

// Plural counts things: "1 handler", "2 handlers".
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// ShortDuration leaves out the zeros at the end of a duration's text: 1m0s is 1m.
func ShortDuration(text string) string {
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// And lists words: "a", "a and b", "a, b and c".
func And(words []string) string { return list(words, "and") }

// Or lists alternatives: "a", "a or b", "a, b or c".
func Or(words []string) string { return list(words, "or") }

func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// Closest returns the known word that was probably meant: the first of those with the fewest edits. It is empty if none is close enough.
func Closest(word string, known []string) string {
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k), bestDistance); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if bestDistance >= len(best) {
		return ""
	}
	return best
}

// DidYouMean is a hint to the word that was probably meant: `did you mean "data"?`. It is empty when no known word is close enough.
func DidYouMean(word string, known []string) string { return Suggest(Closest(word, known)) }

// Suggest is the hint to a word, empty for an empty one.
func Suggest(word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", word)
}

// distance returns the number of edits between a and b, at most limit. It is the optimal string alignment distance: insertions, deletions,
// substitutions, and swaps of two neighbours.
func distance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			substitute := prev[j-1]
			if a[i-1] != b[j-1] {
				substitute++
			}
			cur[j] = min(substitute, prev[j]+1, cur[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return min(prev[len(b)], limit)
}
