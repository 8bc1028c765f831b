package config

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// aboutKeys say what a handler or a schedule is for. They change nothing that it does, so its version does not depend on them.
type aboutKeys struct {
	Description description `key:"description" other:"summary,comment,note,doc" doc:"What it is for, in a sentence or a few."`
	Labels      labels      `key:"labels" other:"label,tags,tag" hint:"write labels: {team: billing}" doc:"Short texts by name, such as {team: billing}, to select it and its runs by: --label team=billing, or --label team."`
}

// isAboutKey reports whether a key changes nothing that an entry does.
func isAboutKey(key string) bool { return key == "description" || key == "labels" }

// effective returns an entry without the keys that change nothing.
func effective(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.Mapping {
		return n
	}
	for i := 0; i < len(n.Content); i += 2 {
		if isAboutKey(n.Content[i].Value) {
			return only(n, func(key string) bool { return !isAboutKey(key) })
		}
	}
	return n
}

// The bounds of descriptions and labels, in characters. They are shown in lists, and not meant for data.
const (
	maxDescription = 1000
	maxLabels      = 16
	maxLabel       = 63
)

// description is a text for people.
type description string

func (d *description) DecodeField(value any, at *fields.At) {
	s, ok := at.Text(value)
	if !ok {
		return
	}
	s = strings.TrimSpace(s)
	switch {
	case utf8.RuneCountInString(s) > maxDescription:
		at.Fail("a comment in the file has room for more", "has more than %d characters", maxDescription)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		at.Fail("", "has a control character")
	default:
		*d = description(s)
	}
}

func (*description) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string", "maxLength": maxDescription}}
}

// labels are short texts by their names.
type labels map[string]string

const labelHint = "letters, digits, and . _ - /; 63 at most"

func (l *labels) DecodeField(value any, at *fields.At) {
	given, ok := value.(map[string]any)
	if !ok {
		at.Fail("write labels: {team: billing}", "must be a mapping, not %s", fields.Describe(value))
		return
	}
	if len(given) > maxLabels {
		at.Fail("", "has %d labels, and %d is the most", len(given), maxLabels)
		return
	}
	*l = labels{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !isLabelKey(key) {
			at.Add(&fault.Fault{Path: []any{key}, Key: true, Message: "the name of a label can't be " + fault.Quote(key), Hint: labelHint})
			continue
		}
		var text labelText
		at.Decode(&text, given[key], key)
		(*l)[key] = string(text)
	}
}

func (*labels) FieldShape() fields.Shape {
	return fields.Shape{Words: "map of text", Schema: map[string]any{
		"type": "object", "propertyNames": map[string]any{"pattern": `^[A-Za-z0-9._/-]{1,63}$`},
		"additionalProperties": map[string]any{"type": []any{"string", "number", "boolean"}},
	}}
}

func isLabelKey(key string) bool {
	return key != "" && len(key) <= maxLabel && !strings.ContainsFunc(key, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/", r)
	})
}

// labelText is the value of a label.
type labelText string

func (t *labelText) DecodeField(value any, at *fields.At) {
	s, ok := at.Written(value)
	switch {
	case !ok:
		at.Add(fault.New("the value of a label must be a text, not %s", fields.Describe(value)))
	case utf8.RuneCountInString(s) > maxLabel:
		at.Add(fault.New("the value of a label has more than %d characters", maxLabel).Hinting("description has room for more"))
	case strings.ContainsFunc(s, unicode.IsControl):
		at.Add(fault.New("the value of a label has a control character"))
	default:
		*t = labelText(s)
	}
}

func (*labelText) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: fields.ScalarSchema()}
}
