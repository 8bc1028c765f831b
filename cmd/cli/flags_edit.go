package cli

import (
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"evrun/tasks/control"
	"evrun/tasks/payload"
)

// EditFlags change the data of runs.
type EditFlags struct {
	file               string
	fields, jsonFields []string
}

// Register adds the flags.
func (w *EditFlags) Register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&w.file, "with", "", "send again with this data: a JSON `FILE`, or - for standard input")
	f.StringArrayVarP(&w.fields, "field", "f", nil, "send again with this field changed, to a text: key=text (may be repeated)")
	f.StringArrayVarP(&w.jsonFields, "json-field", "F", nil, "send again with this field changed, to JSON: key:=json (may be repeated)")
	_ = c.MarkFlagFilename("with", "json") // an error means that the flag does not exist
}

// Given reports whether any of them was given.
func (w *EditFlags) Given() bool { return w.file != "" || len(w.fields)+len(w.jsonFields) > 0 }

// Edit reads the flags, and what they name; in is the standard input.
func (w *EditFlags) Edit(in io.Reader) (e control.Edit, err error) {
	if w.file != "" {
		from, data := "--with", []byte(nil)
		if w.file == "-" {
			from = "standard input"
			data, err = io.ReadAll(in)
		} else {
			data, err = os.ReadFile(strings.TrimPrefix(w.file, "@"))
		}
		if err != nil {
			return e, Usage("--with: %v", err)
		}
		e.Data = trimData(data)
		if err := checkJSON(e.Data); err != nil {
			return e, Usage("%s %v", from, err)
		}
	}
	err = eachField(w.fields, w.jsonFields, func(key string, value json.RawMessage) error {
		e.Set = addField(e.Set, key, value)
		return nil
	})
	return e, err
}

// addField adds a field. A key that comes twice, or ends in [], has a list, as in emit.
func addField(list []payload.Field, key string, value json.RawMessage) []payload.Field {
	path, element := strings.CutSuffix(key, "[]")
	for i := range list {
		if list[i].Path != path {
			continue
		}
		before := list[i].Value
		if before[0] == '[' && element {
			before = before[1 : len(before)-1]
		}
		list[i].Value = append(append(append(append(json.RawMessage{'['}, before...), ','), value...), ']')
		return list
	}
	if element {
		value = append(append(json.RawMessage{'['}, value...), ']')
	}
	return append(list, payload.Field{Path: path, Value: value})
}
