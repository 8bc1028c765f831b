package output

import (
	"fmt"
	"slices"
	"strings"

	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// kindShape is a kind of handler in JSON.
type kindShape struct {
	Name    string         `json:"kind"`
	Doc     string         `json:"doc"`
	Inputs  []fields.Field `json:"inputs,omitempty"`
	Main    string         `json:"main,omitempty"`   // the input that can stand behind the kind
	Output  string         `json:"output,omitempty"` // what its attempts print
	Example string         `json:"example,omitempty"`
}

// Kind writes a kind of handler with its inputs and an example.
func (p *Printer) Kind(k handlers.Kind) error {
	if p.JSON {
		return p.Object(kindShape{Name: k.Name, Doc: k.Doc, Inputs: k.Inputs, Main: k.Main, Output: k.Prints, Example: exampleOf(k)})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n\n", p.Paint(Bold, k.Name), k.Doc)
	p.explainInputs(&b, k.Inputs, "  ")
	if k.Prints != "" {
		fmt.Fprintf(&b, "\nOutput: %s is kept with each attempt, 64KiB of each stream unless output: {keep: …} says otherwise.\n", k.Prints)
	}
	if k.Main != "" {
		fmt.Fprintf(&b, "\nMain input: %s. It can stand behind the kind, in place of under with.\n", k.Main)
	}
	fmt.Fprintf(&b, "\nExample:\n%s", exampleOf(k))
	return p.printf("%s", b.String())
}

// Kinds writes a list of kinds.
func (p *Printer) Kinds(list []handlers.Kind) error {
	shapes := make([]kindShape, len(list))
	for i, k := range list {
		shapes[i] = kindShape{Name: k.Name, Doc: k.Doc}
	}
	return List(p, []Column[kindShape]{
		{Text: func(k kindShape) any { return k.Name }},
		{Text: func(k kindShape) any { return k.Doc }},
	}, shapes)
}

// Keys writes the keys of the wiring file.
func (p *Printer) Keys(keys []fields.Field) error {
	if p.JSON {
		return p.Object(map[string]any{"keys": keys})
	}
	var b strings.Builder
	p.explainInputs(&b, keys, "")
	return p.printf("%s", b.String())
}

func (p *Printer) explainInputs(b *strings.Builder, inputs []fields.Field, indent string) {
	for _, in := range inputs {
		about := in.Type
		if in.Enum != nil {
			about = strings.Join(in.Enum, " | ")
		}
		if in.Required {
			about += ", required"
		}
		if in.Default != "" {
			about += ", default " + in.Default
		}
		fmt.Fprintf(b, "%s%s  %s\n%s    %s\n", indent, p.Paint(Cyan, in.Name), p.Paint(Dim, "("+about+")"), indent, in.Doc)
		p.explainInputs(b, in.Fields, indent+"    ")
	}
}

// exampleOf is a handler of the kind with the inputs that it needs.
func exampleOf(k handlers.Kind) string {
	var b strings.Builder
	do, inputs := k.Name, k.Inputs
	if i := slices.IndexFunc(inputs, func(in fields.Field) bool { return in.Name == k.Main }); i >= 0 {
		do += " " + strings.Trim(placeholder(inputs[i]), `"`)
		inputs = slices.Delete(slices.Clone(inputs), i, i+1)
	}
	fmt.Fprintf(&b, "  - name: my-%s\n    on: some.event\n    do: %s\n", strings.ReplaceAll(k.Name, ".", "-"), do)
	heading := "    with:\n"
	for _, in := range inputs {
		if in.Required {
			fmt.Fprintf(&b, "%s      %s: %s\n", heading, in.Name, placeholder(in))
			heading = ""
		}
	}
	return b.String()
}

// placeholder is a value that an input would take.
func placeholder(in fields.Field) string {
	switch {
	case len(in.Enum) > 0:
		return in.Enum[0]
	case in.Default != "":
		return in.Default
	case in.Example != "":
		return in.Example
	}
	switch in.Type {
	case "true/false":
		return "true"
	case "number":
		return "1"
	case "duration":
		return "5s"
	case "list of text":
		return `["…"]`
	case "map of text":
		return `{key: "…"}`
	case "list":
		return "[{…}]"
	}
	return fmt.Sprintf(`"${ data.%s }"`, in.Name)
}
