package fields

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
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

// numbered is the hint of the tag number, for a number in place of a mapping; empty for none.
func numbered(tag reflect.StructTag, value any) string {
	n, ok := value.(int64)
	if text := tag.Get("number"); text != "" && ok && n > 0 && n <= 1000 {
		return fmt.Sprintf(text, n)
	}
	return ""
}

// reshaped is the hint to a key whose value must have another shape than the one that was written, as in retries: 3; empty for others.
func (o *object) reshaped(word string, value any) string {
	for _, f := range o.fields {
		if f.Name == word && f.tag.Get("number") != "" {
			if _, mapping := value.(map[string]any); !mapping {
				return cmp.Or(numbered(f.tag, value), f.tag.Get("hint"))
			}
		}
	}
	return ""
}

// below is the hint to a key that is one of a mapping in this struct, as socket is in server; empty for none, and for a key that the struct has under
// another word.
func (o *object) below(name string) string {
	for _, f := range o.fields {
		if !f.hidden && slices.Contains(f.other, strings.ToLower(name)) {
			return ""
		}
	}
	for _, f := range o.fields {
		if inner := structOf(f.typ); inner != nil && !f.hidden && f.typ.Kind() != reflect.Slice {
			for _, below := range objectOf(inner).fields {
				switch {
				case below.Name != name:
				case below.tag.Get("refused") != "":
					return below.tag.Get("refused") + ": " + below.tag.Get("hint")
				default:
					return fmt.Sprintf("it belongs below %s:, as in %s: {%s: …}", f.Name, f.Name, name)
				}
			}
		}
	}
	return ""
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
