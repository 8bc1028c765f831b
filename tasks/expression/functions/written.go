package functions

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm/runtime"

	"evrun/tasks/alike"
	"evrun/tasks/expression/format"
	"evrun/tasks/fault"
)

// Sprintf writes values by a layout.
func Sprintf(b Budget, args []any) (any, error) {
	layout, err := Text("sprintf", args[0])
	if err != nil {
		return nil, err
	}
	if err := b.Take(20*len(args) + len(layout)/4); err != nil {
		return nil, err
	}
	if err := b.Read(args[1:], 1); err != nil {
		return nil, err
	}
	pieces, err := format.ParseFormat(layout)
	if err == nil {
		var s string
		if s, err = format.Printf(pieces, args[1:], format.Text); err == nil {
			return s, nil
		}
	}
	return nil, &Error{Msg: "sprintf: " + err.Error(), Hint: hintOfPrintf(args[1:])}
}

// hintOfPrintf says what to do about a value that is missing or a text; empty: nothing is known.
func hintOfPrintf(values []any) string {
	for _, v := range values {
		switch v.(type) {
		case nil:
			return `a value that may be nil needs a default: (data?.name ?? "")`
		case string:
			return `%s writes a text, and int() and float() make a number of one`
		}
	}
	return ""
}

// Strftime takes a time, a text that is one, or seconds since 1970.
func Strftime(b Budget, args []any) (any, error) {
	layout, err := Text("strftime", args[1])
	if err != nil {
		return nil, err
	}
	if err := b.Take(200 + len(layout)/2); err != nil {
		return nil, err
	}
	t, ok := format.TimeOf(args[0])
	if !ok {
		return nil, &Error{Msg: "strftime needs a time, not " + format.Describe(args[0]), Hint: "a time is written as 2026-12-24T18:00:00Z or 2026-12-24, or is a number of seconds since 1970"}
	}
	if err := format.CheckLayout(layout); err != nil {
		return nil, &Error{Msg: err.Error()}
	}
	if len(args) == 3 {
		if t, err = inZone(b, t, args[2]); err != nil {
			return nil, err
		}
	}
	return format.Time(t, layout), nil
}

func inZone(b Budget, t time.Time, name any) (time.Time, error) {
	text, err := Text("strftime", name)
	if err == nil {
		err = b.Take(2000) // it reads a file
	}
	if err != nil {
		return t, err
	}
	in, err := zone(text)
	if err != nil {
		return t, err
	}
	return t.In(in), nil
}

func zone(name string) (*time.Location, error) {
	in, err := time.LoadLocation(name)
	if err != nil {
		return nil, &Error{Msg: "unknown time zone " + fault.Quote(name), Hint: "use a name such as Europe/Paris, or UTC"}
	}
	return in, nil
}

// Round rounds a number to so many places.
func Round(b Budget, args []any) (any, error) {
	places := 0
	if len(args) == 2 {
		places = runtime.ToInt(args[1])
	}
	rounded, ok := format.Round(args[0], places)
	if !ok {
		return nil, &Error{Msg: "round needs a number, not " + format.Describe(args[0])}
	}
	return rounded, b.Take(20)
}

// URLEncode escapes a value for the query of a url.
func URLEncode(b Budget, args []any) (any, error) {
	s, msg := format.Text(args[0])
	if msg != "" {
		return nil, &Error{Msg: "urlencode: the value " + msg, Hint: "?? gives it a default"}
	}
	if err := b.Take(1 + len(s)/16); err != nil {
		return nil, err
	}
	return format.Escape(s), nil
}

// Alike makes texts equal that differ in numbers, ids and quoted parts alone.
func Alike(b Budget, args []any) (any, error) {
	s, err := Text("alike", args[0])
	if err == nil {
		err = b.Take(10 + min(len(s), alike.MaxText)/4)
	}
	if err != nil {
		return nil, err
	}
	return alike.Text(s), nil
}

// SHA256 is the hash of a text, in hex.
func SHA256(b Budget, args []any) (any, error) {
	s, err := Text("sha256", args[0])
	if err == nil {
		err = b.Take(10 + len(s)/32)
	}
	if err != nil {
		return nil, err
	}
	return format.SHA256(s), nil
}

// HMAC takes an algorithm, a key, a text and an encoding.
func HMAC(b Budget, args []any) (any, error) {
	var s [4]string
	s[3] = "hex"
	for i := range args {
		var err error
		if s[i], err = Text("hmac", args[i]); err != nil {
			return nil, err
		}
	}
	if err := b.Take(40 + (len(s[1])+len(s[2]))/16); err != nil {
		return nil, err
	}
	if err := cmp.Or(ofHMAC("algorithm", s[0], format.Algorithms), ofHMAC("encoding", s[3], format.Encodings)); err != nil {
		return nil, err
	}
	if s[1] == "" {
		return nil, &Error{Msg: "the key of hmac is empty", Plain: true}
	}
	return format.HMAC(format.Hash(s[0]), s[1], s[2], s[3]), nil
}

// ofHMAC refuses the name of an algorithm or of an encoding that is not known.
func ofHMAC(what, name string, known []string) error {
	if slices.Contains(known, name) {
		return nil
	}
	return &Error{Msg: "hmac has no " + what + " " + fault.Quote(name), Hint: "there are " + strings.Join(known, ", ")}
}

// Check returns what is wrong with a literal argument of a call that has so many arguments; nil for nothing, and for an argument that any text can be.
func Check(function string, argument int, literal string, arguments int) error {
	switch {
	case function == "sprintf" && argument == 0:
		pieces, err := format.ParseFormat(literal)
		if err == nil {
			err = format.Fits(pieces, arguments-1)
		}
		return err
	case function == "strftime" && argument == 1:
		return format.CheckLayout(literal)
	case function == "strftime" && argument == 2:
		_, err := zone(literal)
		return err
	case function == "hmac" && argument == 0:
		return ofHMAC("algorithm", literal, format.Algorithms)
	case function == "hmac" && argument == 3:
		return ofHMAC("encoding", literal, format.Encodings)
	}
	return nil
}
