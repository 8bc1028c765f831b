package fields

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"evrun/tasks/fault"
)

// Size is a number of bytes. Its bounds are in the tags min and max.
type Size int64

var (
	sizeParts = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]{1,12})(?:\.([0-9]{1,3}))? ?([A-Za-z]+)$`) })
	sizeUnits = map[string]float64{"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
)

// DecodeField reads a size.
func (s *Size) DecodeField(value any, at *At) {
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	least, _ := ParseSize(at.Tag.Get("min"))
	most, _ := ParseSize(at.Tag.Get("max"))
	bytes, f := ParseSize(text)
	if f != nil {
		if n, err := strconv.ParseFloat(text, 64); err == nil && (n < least || n > most) { // as bytes it would be out of bounds
			f.Hint = fmt.Sprintf("write it with its unit, from %s to %s", at.Tag.Get("min"), at.Tag.Get("max"))
		}
		at.Refuse(f)
		return
	}
	if bytes < least || bytes > most {
		at.Refuse(fault.New("%s is out of bounds", fault.Quote(text)).Hinting("from %s to %s", at.Tag.Get("min"), at.Tag.Get("max")))
		return
	}
	*s = Size(bytes)
}

// FieldShape describes a size.
func (Size) FieldShape() Shape {
	return Shape{Words: "size", Schema: map[string]any{"type": "string", "pattern": `^[0-9]{1,12}(\.[0-9]{1,3})? ?[A-Za-z]+$`}}
}

// ParseSize reads a size: 512KiB, 1MiB, 1.5MB.
func ParseSize(s string) (bytes float64, wrong *fault.Fault) {
	const example = "write it with its unit: 512KiB, 1MiB or 2MB"
	m := sizeParts().FindStringSubmatch(s)
	switch {
	case IsNumber(s):
		return 0, fault.New("a size needs a unit").Hinting("write %sB, if bytes are meant, or such as 1MiB", fault.Clip(s, 60))
	case m == nil || len(s) > 64:
		return 0, fault.New("%s is not a valid size", fault.Quote(s)).Hinting(example)
	}
	unit, ok := sizeUnits[strings.ToLower(m[3])]
	if !ok {
		return 0, fault.New("%s is not a valid unit of size", fault.Quote(m[3])).Hinting(example)
	}
	number, _ := strconv.ParseFloat(m[1]+"."+m[2]+"0", 64)
	return number * unit, nil
}
