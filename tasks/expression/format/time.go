package format

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ncruces/go-strftime"
)

// layoutLetters are those that may follow a % in a layout of strftime.
const layoutLetters = "aAbBcCdDeFfgGhHIjklLmMnNpPQrRsStTuUvVwWxXyYzZ+%"

// maxLayout is the length of the longest layout: one may come from a payload.
const maxLayout = 1000

// CheckLayout checks a layout of strftime: %Y-%m-%d, %-d without leading zero, %:z.
func CheckLayout(layout string) error {
	if len(layout) > maxLayout {
		return fmt.Errorf("the layout has %d bytes, and the maximum is %d", len(layout), maxLayout)
	}
	for rest := layout; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			break
		}
		if after != "" && strings.IndexByte("-:", after[0]) >= 0 {
			after = after[1:]
		}
		switch {
		case after == "":
			return fmt.Errorf("the layout ends with a %%: %%%% writes a percent sign")
		case strings.IndexByte(layoutLetters, after[0]) < 0:
			letter, _ := utf8.DecodeRuneInString(after)
			return fmt.Errorf("strftime has no %%%c", letter)
		}
		rest = after[1:]
	}
	if layout != "" && !strings.Contains(layout, "%") { // Go's 2006-01-02, or YYYY-MM-DD
		return fmt.Errorf("the layout has no %%: strftime writes %%Y-%%m-%%d %%H:%%M:%%S")
	}
	return nil
}

// Time writes a time by a layout of strftime, in English.
func Time(t time.Time, layout string) string { return strftime.Format(layout, t) }

// timeLayouts are the layouts of times in texts, the commonest first.
var timeLayouts = []string{time.RFC3339Nano, time.DateOnly, time.DateTime, "2006-01-02T15:04:05.999999999", time.RFC1123Z, time.RFC1123}

// maxTimeText is the length of the longest text that is read as a time.
const maxTimeText = 64

// ParseTime reads a time: RFC 3339, a date, or a date and a time in UTC.
func ParseTime(text string) (time.Time, bool) {
	if len(text) > maxTimeText {
		return time.Time{}, false
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// TimeOf reads a time; seconds are since 1970, in UTC.
func TimeOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		return ParseTime(v)
	case int:
		return time.Unix(int64(v), 0).UTC(), v >= minUnix && v <= maxUnix
	case float64:
		if !(v >= minUnix && v <= maxUnix) {
			return time.Time{}, false
		}
		return time.UnixMicro(int64(v * 1e6)).UTC(), true
	}
	return time.Time{}, false
}

// The seconds of years with four digits.
const (
	minUnix = -62135596800
	maxUnix = 253402300799
)
