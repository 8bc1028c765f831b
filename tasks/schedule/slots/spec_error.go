package slots

import (
	"fmt"
	"strings"
)

// SpecError says what is wrong with a Spec, where, and what to do about it.
type SpecError struct {
	Field  string // the key as it is written in the file: "every", "cron", "daily", …; "": the schedule as a whole
	Index  int    // which entry of a list, from 0; 0 where the field is none
	Offset int    // bytes from the start of the entry's text to what is wrong
	Msg    string // without the field's name
	Hint   string // what to do; may be empty
}

func (e *SpecError) Error() string {
	var b strings.Builder
	if e.Field != "" {
		b.WriteString(e.Field)
		if e.Index > 0 {
			fmt.Fprintf(&b, "[%d]", e.Index)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}
