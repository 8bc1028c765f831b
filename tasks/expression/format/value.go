package format

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"evrun/events"
	"evrun/tasks/fault"
)

// Append appends v in the form of a template's text: strings unchanged, numbers exactly, lists and maps as compact JSON. If v can't be written,
// msg says why, as the end of a sentence.
func Append(b []byte, v any) (_ []byte, msg string) {
	switch v := v.(type) {
	case string:
		return append(b, v...), ""
	case int:
		return strconv.AppendInt(b, int64(v), 10), ""
	case int64:
		return strconv.AppendInt(b, v, 10), ""
	case bool:
		return strconv.AppendBool(b, v), ""
	case float64:
		return appendFloat(b, v)
	case nil:
		return b, "is nil, so it can't be written into a text"
	case json.Number:
		return append(b, v...), ""
	case []byte:
		return append(b, v...), ""
	case time.Time:
		return v.AppendFormat(b, time.RFC3339Nano), ""
	case time.Duration:
		return append(b, v.String()...), ""
	case error:
		return append(b, v.Error()...), ""
	}
	out, err := events.MarshalJSON(v)
	if err != nil {
		return b, "can't be written into a text: " + err.Error()
	}
	return append(b, out...), ""
}

// Text is Append for one value.
func Text(v any) (_, msg string) {
	if s, ok := v.(string); ok {
		return s, ""
	}
	b, msg := Append(nil, v)
	return string(b), msg
}

// appendFloat writes as encoding/json does.
func appendFloat(b []byte, f float64) (_ []byte, msg string) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return b, "is not a finite number (a division by zero?), so it can't be written into a text"
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64), ""
}

// Describe names a value in a message: `the string "abc"`, `the number 3`, `a list of 2 elements`, `nil`.
func Describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return "the string " + fault.Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case int, int64, float64, json.Number:
		return fmt.Sprintf("the number %v", v)
	case []any:
		return "a list of " + fault.Plural(len(v), "element")
	case map[string]any:
		return "a map of " + fault.Plural(len(v), "key")
	case time.Time:
		return "the time " + v.Format(time.RFC3339Nano)
	case time.Duration:
		return "the duration " + v.String()
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		return "a list of " + fault.Plural(r.Len(), "element")
	case reflect.Map:
		return "a map of " + fault.Plural(r.Len(), "key")
	case reflect.Func:
		return "a function"
	}
	return "a value of another kind"
}

// Kind names the type of a value, as messages of expr-lang do; empty: any other.
func Kind(v any) string {
	switch v.(type) {
	case nil:
		return "nil"
	case string:
		return "string"
	case int, int64, float64:
		return "number"
	case []any:
		return "list"
	case map[string]any:
		return "map"
	}
	return ""
}

// StringKeys converts maps of groupBy, nested ones included, to maps with string keys.
func StringKeys(v any) any {
	switch v := v.(type) {
	case map[any][]any:
		m := make(map[string]any, len(v))
		for key, list := range v {
			s, msg := Text(key)
			if msg != "" {
				s = fmt.Sprint(key)
			}
			m[s] = StringKeys(list)
		}
		return m
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, e := range v {
			m[key] = StringKeys(e)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = StringKeys(e)
		}
		return list
	}
	return v
}
