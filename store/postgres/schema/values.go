package schema

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Micros is a time as it is stored: microseconds since the Unix epoch.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the inverse of [Micros], in UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// IsText reports whether PostgreSQL can store a text: it is UTF-8, and has no zero byte.
func IsText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Text is a text as PostgreSQL can store it, and compare with what it has: U+FFFD stands for what it can't.
func Text(s string) string {
	if IsText(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
