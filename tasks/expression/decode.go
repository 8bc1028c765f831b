package expression

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// DecodeJSON decodes one JSON value into nil, bool, int, float64, json.Number, string, []any and map[string]any. Whole
// numbers are int where they fit and json.Number beyond, so none is ever rounded; of a key that comes twice the last counts.
//
// It exists because encoding/json takes three times as long for the small objects that payloads are, at every run. It leaves
// to encoding/json what is rare and intricate: strings with escapes or invalid UTF-8. A fuzz test holds the two together.
func DecodeJSON(b []byte) (any, error) {
	d := decoder{b: b}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.i < len(b) {
		return nil, d.unexpected("after the value")
	}
	return v, nil
}

// maxDepth is encoding/json's own.
const maxDepth = 10000

type decoder struct {
	b []byte
	i int
}

func (d *decoder) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

func (d *decoder) unexpected(where string) error {
	if d.i >= len(d.b) {
		return errors.New("unexpected end")
	}
	return fmt.Errorf("unexpected %q %s, at byte %d", d.b[d.i], where, d.i)
}

// eat takes c, if it is next.
func (d *decoder) eat(c byte) bool {
	if d.i < len(d.b) && d.b[d.i] == c {
		d.i++
		return true
	}
	return false
}

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	if d.i >= len(d.b) {
		return nil, d.unexpected("")
	}
	switch c := d.b[d.i]; {
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.list(depth)
	case c == '"':
		return d.text()
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	case bytes.HasPrefix(d.b[d.i:], []byte("true")):
		d.i += 4
		return true, nil
	case bytes.HasPrefix(d.b[d.i:], []byte("false")):
		d.i += 5
		return false, nil
	case bytes.HasPrefix(d.b[d.i:], []byte("null")):
		d.i += 4
		return nil, nil
	}
	return nil, d.unexpected("where a value should be")
}

func (d *decoder) object(depth int) (any, error) {
	d.i++
	m := make(map[string]any)
	d.space()
	if d.eat('}') {
		return m, nil
	}
	for {
		if d.i >= len(d.b) || d.b[d.i] != '"' {
			return nil, d.unexpected("where a key should be")
		}
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		d.space()
		if !d.eat(':') {
			return nil, d.unexpected("after a key")
		}
		d.space()
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m[key] = v
		d.space()
		if d.eat('}') {
			return m, nil
		}
		if !d.eat(',') {
			return nil, d.unexpected("in an object")
		}
		d.space()
	}
}

func (d *decoder) list(depth int) (any, error) {
	d.i++
	list := []any{}
	d.space()
	if d.eat(']') {
		return list, nil
	}
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		d.space()
		if d.eat(']') {
			return list, nil
		}
		if !d.eat(',') {
			return nil, d.unexpected("in a list")
		}
		d.space()
	}
}

func (d *decoder) text() (string, error) {
	start := d.i
	plain := true
	for i := start + 1; i < len(d.b); i++ {
		switch c := d.b[i]; {
		case c == '"':
			d.i = i + 1
			inner := d.b[start+1 : i]
			if plain || !bytes.ContainsRune(inner, '\\') && utf8.Valid(inner) {
				return string(inner), nil
			}
			var s string
			if err := json.Unmarshal(d.b[start:d.i], &s); err != nil {
				return "", err
			}
			return s, nil
		case c == '\\':
			plain = false
			i++
		case c < ' ':
			d.i = i
			return "", d.unexpected("in a string")
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	d.i = len(d.b)
	return "", d.unexpected("")
}

func (d *decoder) number() (any, error) {
	start, whole := d.i, true
	d.eat('-')
	if !d.eat('0') && !d.digits() {
		return nil, d.unexpected("in a number")
	}
	if d.eat('.') {
		whole = false
		if !d.digits() {
			return nil, d.unexpected("in a number")
		}
	}
	if d.eat('e') || d.eat('E') {
		whole = false
		if !d.eat('+') {
			d.eat('-')
		}
		if !d.digits() {
			return nil, d.unexpected("in a number")
		}
	}
	s := string(d.b[start:d.i])
	if whole {
		if n, err := strconv.Atoi(s); err == nil {
			return n, nil
		}
		return json.Number(s), nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f, nil
	}
	return json.Number(s), nil // beyond float64
}

func (d *decoder) digits() bool {
	start := d.i
	for d.i < len(d.b) && '0' <= d.b[d.i] && d.b[d.i] <= '9' {
		d.i++
	}
	return d.i > start
}
