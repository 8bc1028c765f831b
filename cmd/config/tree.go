package config

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fields"
)

// value converts a tree to plain values: map[string]any, []any and the types of scalar. Numbers that JSON can't represent are faults.
func (d *document) value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.Mapping:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = d.value(n.Content[i+1])
		}
		return m
	case yaml.Sequence:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = d.value(item)
		}
		return list
	}
	if n.Broken {
		return fields.Unread{}
	}
	v := scalar(n)
	if f, ok := v.(float64); ok {
		switch {
		case math.IsInf(f, 0) || math.IsNaN(f):
			d.at(n, "JSON has no number like this one", "quote it, if it is a text")
		case !strings.ContainsAny(n.Value, ".eE"):
			d.at(n, "this whole number is too large to be kept exactly", "quote it: a text keeps all its digits")
		}
	}
	return v
}

// scalar returns the value of a scalar in YAML 1.2's core schema: nil, a bool, an int64, a uint64, a float64 or a string.
func scalar(n *yaml.Node) any {
	s := n.Value
	if n.IsText() {
		return s
	}
	if n.Null() {
		return nil
	}
	switch s {
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1)
	case ".nan", ".NaN", ".NAN":
		return math.NaN()
	}
	if !strings.Contains("0123456789+-.", s[:1]) || len(s) > 400 {
		return s
	}
	digits, base := strings.TrimPrefix(s, "+"), 10
	switch {
	case decimal().MatchString(s):
	case hexadecimal().MatchString(s):
		digits, base = s[2:], 16
	case octal().MatchString(s):
		digits, base = s[2:], 8
	default:
		return s
	}
	if i, err := strconv.ParseInt(digits, base, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(digits, base, 64); err == nil {
		return u
	}
	if base != 10 {
		return math.Inf(1)
	}
	f, _ := strconv.ParseFloat(digits, 64) // infinite if it is too large
	return f
}

// The numbers of YAML 1.2's core schema.
var (
	decimal = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	})
	hexadecimal = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^0x[0-9a-fA-F]+$`) })
	octal       = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^0o[0-7]+$`) })
)

// describe names a value in a message: "a list", `the text "x"`.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.Mapping:
		return fields.Describe(map[string]any{})
	case yaml.Sequence:
		return fields.Describe([]any{})
	}
	return fields.Describe(scalar(n))
}

// broken reports whether a part of the tree was refused.
func broken(n *yaml.Node) bool { return n.Broken || slices.ContainsFunc(n.Content, broken) }
