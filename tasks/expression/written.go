package expression

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm/runtime"

	"evrun/tasks/expression/format"
	"evrun/tasks/fault"
)

// Functions that write values as texts, or round them. Package format has what they do; these count the work beforehand.

func sprintf(b *Budget, args []any) (any, error) {
	layout, err := text("sprintf", args[0])
	if err != nil {
		return nil, err
	}
	if err := b.spend(20*len(args) + len(layout)/4); err != nil {
		return nil, err
	}
	if err := b.read(args[1:], 1); err != nil {
		return nil, err
	}
	pieces, err := format.ParseFormat(layout)
	if err == nil {
		var s string
		if s, err = format.Printf(pieces, args[1:], format.Text); err == nil {
			return s, nil
		}
	}
	return nil, &functionError{msg: "sprintf: " + err.Error(), hint: hintOfPrintf(args[1:])}
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

// strftime takes a time, a text that is one, or seconds since 1970.
func strftime(b *Budget, args []any) (any, error) {
	layout, err := text("strftime", args[1])
	if err != nil {
		return nil, err
	}
	if err := b.spend(200 + len(layout)/2); err != nil {
		return nil, err
	}
	t, ok := format.TimeOf(args[0])
	if !ok {
		return nil, &functionError{msg: "strftime needs a time, not " + format.Describe(args[0]), hint: "a time is written as 2026-12-24T18:00:00Z or 2026-12-24, or is a number of seconds since 1970"}
	}
	if err := format.CheckLayout(layout); err != nil {
		return nil, &functionError{msg: err.Error()}
	}
	if len(args) == 3 {
		if t, err = inZone(b, t, args[2]); err != nil {
			return nil, err
		}
	}
	return format.Time(t, layout), nil
}

func inZone(b *Budget, t time.Time, zone any) (time.Time, error) {
	name, err := text("strftime", zone)
	if err == nil {
		err = b.spend(2000) // it reads a file
	}
	if err != nil {
		return t, err
	}
	in, err := time.LoadLocation(name)
	if err != nil {
		return t, &functionError{msg: "unknown time zone " + fault.Quote(name), hint: "use a name such as Europe/Paris, or UTC"}
	}
	return t.In(in), nil
}

func round(b *Budget, args []any) (any, error) {
	places := 0
	if len(args) == 2 {
		places = runtime.ToInt(args[1])
	}
	rounded, ok := format.Round(args[0], places)
	if !ok {
		return nil, &functionError{msg: "round needs a number, not " + format.Describe(args[0])}
	}
	return rounded, b.spend(20)
}

func urlencode(b *Budget, args []any) (any, error) {
	s, msg := format.Text(args[0])
	if msg != "" {
		return nil, &functionError{msg: "urlencode: the value " + msg, hint: "?? gives it a default"}
	}
	if err := b.spend(1 + len(s)/16); err != nil {
		return nil, err
	}
	return format.Escape(s), nil
}

func sha256(b *Budget, args []any) (any, error) {
	s, err := text("sha256", args[0])
	if err == nil {
		err = b.spend(10 + len(s)/32)
	}
	if err != nil {
		return nil, err
	}
	return format.SHA256(s), nil
}

func hmac(b *Budget, args []any) (any, error) {
	var s [4]string
	s[3] = "hex"
	for i := range args {
		var err error
		if s[i], err = text("hmac", args[i]); err != nil {
			return nil, err
		}
	}
	if err := b.spend(40 + (len(s[1])+len(s[2]))/16); err != nil {
		return nil, err
	}
	if err := cmp.Or(ofHMAC("algorithm", s[0], format.Algorithms), ofHMAC("encoding", s[3], format.Encodings)); err != nil {
		return nil, err
	}
	if s[1] == "" {
		return nil, &functionError{msg: "the key of hmac is empty", plain: true}
	}
	return format.HMAC(format.Hash(s[0]), s[1], s[2], s[3]), nil
}

// ofHMAC refuses the name of an algorithm or of an encoding that is not known.
func ofHMAC(what, name string, known []string) error {
	if slices.Contains(known, name) {
		return nil
	}
	return &functionError{msg: "hmac has no " + what + " " + fault.Quote(name), hint: "there are " + strings.Join(known, ", ")}
}

// literals checks the literal arguments of a call when an expression is compiled: the payload can't choose these.
func (c *nameCheck) literals(function string, n *ast.CallNode) {
	arg := func(i int) (string, bool) {
		if i >= len(n.Arguments) {
			return "", false
		}
		s, ok := n.Arguments[i].(*ast.StringNode)
		if !ok {
			return "", false
		}
		return s.Value, true
	}
	wrong := func(i int, err error) {
		e := (*functionError)(nil)
		if errors.As(err, &e) {
			c.fault(n.Arguments[i], e.msg, e.hint)
		} else if err != nil {
			c.fault(n.Arguments[i], err.Error(), "")
		}
	}
	switch function {
	case "sprintf":
		if layout, ok := arg(0); ok {
			pieces, err := format.ParseFormat(layout)
			if err == nil {
				err = format.Fits(pieces, len(n.Arguments)-1)
			}
			wrong(0, err)
		}
	case "strftime":
		if layout, ok := arg(1); ok {
			wrong(1, format.CheckLayout(layout))
		}
		if zone, ok := arg(2); ok {
			_, err := inZone(nil, time.Time{}, zone)
			wrong(2, err)
		}
	case "hmac":
		if name, ok := arg(0); ok {
			wrong(0, ofHMAC("algorithm", name, format.Algorithms))
		}
		if name, ok := arg(3); ok {
			wrong(3, ofHMAC("encoding", name, format.Encodings))
		}
	}
}
