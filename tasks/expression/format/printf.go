package format

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"evrun/tasks/fault"
)

// maxField is the greatest width and precision of a verb.
const maxField = 1000

// verbs are the letters after a %, each with what it writes.
const verbs = "svqdxXobceEfFgGt"

// Piece is a part of a format: a text, or a verb with its flags, width and precision.
type Piece struct {
	Text string // of a verb: as in the format, "%-10s"
	Verb byte   // 0: a text
}

// ParseFormat splits a format of printf. Verbs take their arguments in order: %[1]d and %*d are refused.
func ParseFormat(format string) ([]Piece, error) {
	var pieces []Piece
	for len(format) > 0 {
		text, rest, found := strings.Cut(format, "%")
		if text != "" {
			pieces = append(pieces, Piece{Text: text})
		}
		if !found {
			break
		}
		if strings.HasPrefix(rest, "%") {
			pieces = append(pieces, Piece{Text: "%"})
			format = rest[1:]
			continue
		}
		n, err := verbLength(rest)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, Piece{Text: "%" + rest[:n], Verb: rest[n-1]})
		format = rest[n:]
	}
	return pieces, nil
}

// Fits returns an error unless the pieces take so many values.
func Fits(pieces []Piece, values int) error {
	verbs := 0
	for _, p := range pieces {
		if p.Verb != 0 {
			verbs++
		}
	}
	if verbs != values {
		return fmt.Errorf("the format has %s for %s", fault.Plural(verbs, "verb"), fault.Plural(values, "value"))
	}
	return nil
}

// verbLength returns the length of the flags, width, precision and verb that follow a %.
func verbLength(rest string) (int, error) {
	i := len(rest) - len(strings.TrimLeft(rest, "+-# 0"))
	if i > 5 { // a repeated flag means nothing
		return 0, fmt.Errorf("%%%s has too many flags", rest[:6])
	}
	for part := range 2 {
		if part == 1 {
			if i >= len(rest) || rest[i] != '.' {
				break
			}
			i++
		}
		digits := len(rest[i:]) - len(strings.TrimLeft(rest[i:], "0123456789"))
		if n, err := strconv.Atoi("0" + rest[i:i+min(digits, 6)]); err != nil || n > maxField || digits > 6 {
			return 0, fmt.Errorf("%%%s… is too wide: the greatest width and precision are %d", rest[:i+min(digits, 6)], maxField)
		}
		i += digits
	}
	if i >= len(rest) {
		return 0, fmt.Errorf("%%%s at the end has no verb: %%%% writes a percent sign", rest)
	}
	if strings.IndexByte(verbs, rest[i]) < 0 {
		letter, _ := utf8.DecodeRuneInString(rest[i:])
		return 0, fmt.Errorf("%%%s%c is not a verb: there are %%s, %%d, %%f, %%e, %%g, %%x, %%q, %%t, %%c, %%b and %%o, and %%%% for a percent sign", rest[:i], letter)
	}
	return i + 1, nil
}

// Printf writes the pieces with their arguments. text gives the text of an argument for %s, %v and %q; or, in what, why it has none.
func Printf(pieces []Piece, args []any, text func(any) (s, what string)) (string, error) {
	if err := Fits(pieces, len(args)); err != nil {
		return "", err
	}
	var b strings.Builder
	next := 0
	for _, p := range pieces {
		if p.Verb == 0 {
			b.WriteString(p.Text)
			continue
		}
		v, err := argument(p.Verb, args[next], text)
		if err != nil {
			return "", fmt.Errorf("%s: value %d %w", p.Text, next+1, err)
		}
		next++
		fmt.Fprintf(&b, p.Text, v)
	}
	return b.String(), nil
}

// argument converts a value to one that fmt writes for the verb.
func argument(verb byte, v any, text func(any) (s, what string)) (any, error) {
	switch verb {
	case 's', 'v', 'q':
		s, what := text(v)
		if what != "" {
			return nil, fmt.Errorf("%s", what)
		}
		return s, nil
	case 't':
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, fmt.Errorf("must be true or false")
	case 'x', 'X':
		if s, ok := v.(string); ok {
			return s, nil
		}
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if f, ok := fraction(v); ok {
			return f, nil
		}
		return nil, fmt.Errorf("must be a number")
	}
	n, ok := whole(v)
	if !ok {
		return nil, fmt.Errorf("must be a whole number")
	}
	if verb == 'c' {
		if !n.IsInt64() || n.Int64() < 0 || n.Int64() > 0x10FFFF {
			return nil, fmt.Errorf("must be the number of a character")
		}
		return rune(n.Int64()), nil
	}
	return n, nil
}

// maxDigits bounds the length of a number as a text: numbers of JSON may be as long as the data.
const maxDigits = 400

// whole returns the exact whole number that v is.
func whole(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case int:
		return big.NewInt(int64(v)), true
	case int64:
		return big.NewInt(v), true
	case float64:
		if v != math.Trunc(v) || math.IsInf(v, 0) {
			return nil, false
		}
		n, _ := big.NewFloat(v).Int(nil)
		return n, true
	case json.Number:
		if len(v) > maxDigits {
			return nil, false
		}
		return new(big.Int).SetString(v.String(), 10)
	}
	return nil, false
}

// fraction returns the number that v is, exactly if it is whole.
func fraction(v any) (any, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	if n, ok := whole(v); ok {
		return new(big.Float).SetInt(n), true
	}
	if n, ok := v.(json.Number); ok && len(n) <= maxDigits {
		f, err := n.Float64()
		return f, err == nil
	}
	return nil, false
}
