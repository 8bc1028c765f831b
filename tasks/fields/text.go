package fields

import (
	"fmt"
	"strconv"
	"strings"

	"evrun/tasks/fault"
)

// Closest returns the known word that was probably meant: one with the same beginning, or the one with the fewest edits. It is empty if none is close
// enough.
func Closest(word string, known []string) string {
	for _, k := range known {
		if len(word) > 2 && (strings.HasPrefix(word, k) || strings.HasPrefix(k, word)) {
			return k
		}
	}
	return fault.Closest(word, known)
}

// Describe names a value for a message: `the text "x"`, "the number 5", "a list".
func Describe(value any) string {
	switch value := value.(type) {
	case nil:
		return "nothing"
	case string:
		return "the text " + fault.Quote(value)
	case bool:
		return strconv.FormatBool(value)
	case int64, uint64:
		return fmt.Sprintf("the number %d", value)
	case float64:
		return "the number " + strconv.FormatFloat(value, 'f', -1, 64)
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return "a value of another kind"
}

// listKeys is a hint that lists the keys of a struct.
func listKeys(names []string) string {
	if len(names) == 1 {
		return "its only key is " + names[0]
	}
	return "its keys are " + fault.And(names)
}

// why makes a hint from a key's doc: its first sentence, in lower case and without the full stop.
func why(f *field) string {
	hint, _, _ := strings.Cut(f.Doc, ". ")
	hint = strings.TrimSuffix(hint, ".")
	if len(hint) > 1 && (hint[1] < 'A' || hint[1] > 'Z') { // not an abbreviation
		hint = strings.ToLower(hint[:1]) + hint[1:]
	}
	if f.Enum != nil {
		hint += ": " + fault.Or(f.Enum)
	}
	return hint
}
