package fields

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"evrun/tasks/fault"
)

// scalar decodes a text, a truth value, a number or a duration.
func (d *decoder) scalar(v reflect.Value, value any, at *At, f *field) {
	if v.Type() == durationType {
		v.SetInt(int64(duration(value, at)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		if f.Enum != nil {
			v.SetString(choice(value, at, f.Enum))
			return
		}
		s, _ := at.Text(value)
		v.SetString(s)
	case reflect.Bool:
		v.SetBool(d.truth(value, at))
	case reflect.Int:
		v.SetInt(d.integer(value, at))
	}
}

func (d *decoder) truth(value any, at *At) bool {
	if b, ok := value.(bool); ok {
		return b
	}
	if text, ok := value.(string); ok && d.Texts && (text == "true" || text == "false") {
		return text == "true"
	}
	text, _ := value.(string)
	word, hint := strings.ToLower(text), ""
	switch word {
	case "yes", "on":
		hint = "write true"
	case "no", "off":
		hint = "write false"
	case "true", "false":
		if d.Texts { // a quoted one in a file needs no word, but no quotes
			hint = "write " + word
		}
	}
	at.Fail(hint, "must be true or false, not %s", at.describe(value))
	return false
}

// choice decodes one of a few words.
func choice(value any, at *At, words []string) string {
	text, ok := at.Written(value)
	switch {
	case !ok:
		at.Fail("", "must be %s, not %s", fault.Or(words), at.describe(value))
		return ""
	case !slices.Contains(words, text):
		at.Fail(fault.Suggest(Closest(text, words)), "must be %s, not %s", fault.Or(words), fault.Quote(text))
		return ""
	}
	return text
}

func (d *decoder) integer(value any, at *At) int64 {
	least, most := bound(at.Tag, "min", math.MinInt64), bound(at.Tag, "max", math.MaxInt64)
	if text, ok := value.(string); ok && d.Texts {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			value = n
		}
	}
	n, ok := value.(int64)
	_, large := value.(uint64)
	switch {
	case !ok && !large:
		at.Fail("", "must be a whole number, not %s", at.describe(value))
		return 0
	case large:
		at.Fail("", "can be %d at most", most)
		return 0
	case n < least:
		at.Fail("", "must be %d or more", least)
		return 0
	case n > most:
		at.Fail("", "can be %d at most", most)
		return 0
	}
	return n
}

var (
	bareNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?$`) })
	dayPart    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d`) })
)

// duration decodes a duration, which must be over zero unless the field has min:"0s".
func duration(value any, at *At) time.Duration {
	text, ok := at.Scalar(value)
	if !ok {
		return 0
	}
	d, err := ParseDuration(text)
	switch {
	case err != nil:
		at.Refuse(err)
	case d == 0 && at.Tag.Get("min") != "0s":
		at.Fail("", "must be over zero")
	}
	return d
}

// ParseDuration reads a duration as Go writes them, with d for days of 24 hours in front: 30s, 1h30m, 30d, 1d12h. It is never
// negative.
func ParseDuration(s string) (time.Duration, *fault.Fault) {
	invalid := func() *fault.Fault {
		return fault.New("%s is not a valid duration", fault.Quote(s)).Hinting("write it with its unit: 500ms, 5s, 10m, 2h or 30d")
	}
	switch {
	case len(s) > 64:
		return 0, invalid()
	case bareNumber().MatchString(s):
		return 0, fault.New("a duration needs a unit").Hinting("write %ss, if seconds are meant", s)
	case strings.HasPrefix(s, "-"):
		return 0, fault.New("a duration can't be negative")
	}
	rest, days := s, 0.0
	if m := dayPart().FindStringSubmatch(s); m != nil {
		days, _ = strconv.ParseFloat(m[1], 64)
		rest = s[len(m[0]):]
	}
	var d time.Duration
	if rest != "" || s == "" {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || strings.ContainsAny(rest, "+-") {
			return 0, invalid()
		}
	}
	if total := days*float64(24*time.Hour) + float64(d); total >= math.MaxInt64 {
		return 0, fault.New("%s is too long", fault.Quote(s)).Hinting("the maximum is 290 years")
	}
	return d + time.Duration(days*float64(24*time.Hour)), nil
}

// IsNumber reports whether a text is a number without a unit.
func IsNumber(s string) bool { return bareNumber().MatchString(s) }

// Scalar is a text that may be written as any scalar: a name, an id, an error.
type Scalar string

// DecodeField keeps the source text of the scalar.
func (s *Scalar) DecodeField(value any, at *At) {
	text, _ := at.Scalar(value)
	*s = Scalar(text)
}

// FieldShape describes a scalar.
func (*Scalar) FieldShape() Shape { return Shape{Words: "text", Schema: ScalarSchema()} }

// ScalarSchema is the JSON Schema of a text that may be written as any scalar.
func ScalarSchema() map[string]any {
	return map[string]any{"type": []any{"string", "number", "boolean"}}
}
