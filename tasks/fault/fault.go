// Package fault defines the type for a mistake in a user's input: where it is, what is wrong, and what to do about it. It also has helpers for
// messages. It is a leaf: it imports no other package of evrun.
//
// A function that checks an input returns a [Fault] with a path relative to that input; its caller prepends its own part of the path with
// [Fault.Within]. Only cmd/config knows the line and column of a path.
//
//	return fault.At([]any{"retry", "attempts"}, "%q must be 1 or more", "attempts").Hinting("leave it out for the default, 5")
package fault

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one mistake. It is an error: its text is the path, the message and the hint, on one line.
type Fault struct {
	// Path has the keys (string) and indexes (int) that lead from the checked value to the wrong one; empty: the value itself. For a missing value,
	// it leads to where the value should be.
	Path []any
	// Key says that the last key of Path is wrong, not its value.
	Key bool
	// Offset is the offset of the mistake, in bytes, in the text that Path leads to; 0 also for the whole text.
	Offset  int
	Message string
	Hint    string // what to do about it; may be empty
	Err     error  // the cause, for errors.Is and errors.As; may be nil
}

// New returns a fault of the checked value itself.
func New(format string, args ...any) *Fault { return At(nil, format, args...) }

// At returns a fault at a path. It keeps a copy of the path.
func At(path []any, format string, args ...any) *Fault {
	return &Fault{Path: slices.Clone(path), Message: fmt.Sprintf(format, args...)}
}

// Of returns the fault that err is or wraps. Any other error becomes the message of a new fault.
//
// Errors of packages that can't import this one (events, store) have a method Fault for this.
func Of(err error) *Fault {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	var other interface {
		error
		Fault() (offset int, message, hint string)
	}
	if errors.As(err, &other) {
		f := &Fault{Err: other}
		f.Offset, f.Message, f.Hint = other.Fault()
		f.Offset = max(f.Offset, 0)
		return f
	}
	return &Fault{Message: err.Error(), Err: err}
}

// Hinting sets the fault's hint and returns the fault.
func (f *Fault) Hinting(format string, args ...any) *Fault {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// Within returns a copy of the fault whose path begins with these steps.
func (f *Fault) Within(steps ...any) *Fault {
	moved := *f
	moved.Path = slices.Concat(steps, f.Path)
	return &moved
}

// Error gives the path, the message and the hint: `retry.attempts: it must be 1 or more; the default is 5`.
func (f *Fault) Error() string {
	s := f.Message
	if len(f.Path) > 0 {
		s = Path(f.Path) + ": " + s
	}
	if f.Hint != "" {
		s += "; " + f.Hint
	}
	return s
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Path formats a path for people: `handlers[2].with.headers["X-Trace"]`.
func Path(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(step) + "]")
		case string:
			switch {
			case !plain(step):
				b.WriteString("[" + strconv.Quote(step) + "]")
			case b.Len() > 0:
				b.WriteString("." + step)
			default:
				b.WriteString(step)
			}
		}
	}
	return b.String()
}

// plain reports whether a key can be written after a dot.
func plain(key string) bool {
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$") == ""
}
