package cmd

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// kindShape is a kind of handler in JSON.
type kindShape struct {
	Name    string         `json:"kind"`
	Doc     string         `json:"doc"`
	Inputs  []fields.Field `json:"inputs,omitempty"`
	Example string         `json:"example,omitempty"`
}

// runExplainKind describes a kind; with no name, it lists them.
func runExplainKind(e *env, name string) error {
	if name == "" {
		return e.listKinds()
	}
	k, ok := handlers.Lookup(name)
	if !ok {
		var names []string
		for _, k := range handlers.Kinds() {
			names = append(names, k.Name)
		}
		err := fmt.Errorf("unknown kind %q: there are %s", name, strings.Join(names, ", "))
		if hint := fault.DidYouMean(name, names); hint != "" {
			err = fmt.Errorf("unknown kind %q; %s there are %s", name, hint, strings.Join(names, ", "))
		}
		return &exitError{code: exitUsage, err: err}
	}
	if e.json() {
		return e.printJSON(kindShape{Name: k.Name, Doc: k.Doc, Inputs: k.Inputs, Example: exampleOf(k)})
	}
	p := e.printer()
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n\n", p.paint(bold, k.Name), k.Doc)
	p.explainInputs(&b, k.Inputs, "  ")
	fmt.Fprintf(&b, "\nExample:\n%s", exampleOf(k))
	_, err := e.out.Write([]byte(b.String()))
	return err
}

func (e *env) listKinds() error {
	table := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	for _, k := range handlers.Kinds() {
		var err error
		if e.json() {
			err = e.printJSON(kindShape{Name: k.Name, Doc: k.Doc})
		} else {
			_, err = fmt.Fprintf(table, "%s\t%s\n", k.Name, k.Doc)
		}
		if err != nil {
			return err
		}
	}
	return table.Flush()
}

func (p *printer) explainInputs(b *strings.Builder, inputs []fields.Field, indent string) {
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
		fmt.Fprintf(b, "%s%s  %s\n%s    %s\n", indent, p.paint(cyan, in.Name), p.paint(dim, "("+about+")"), indent, in.Doc)
		p.explainInputs(b, in.Fields, indent+"    ")
	}
}

// exampleOf is a handler of the kind with the inputs that it needs, or with its first where it needs none in particular.
func exampleOf(k handlers.Kind) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: my-%s\n    on: some.event\n    do: %s\n", strings.ReplaceAll(k.Name, ".", "-"), k.Name)
	someNeeded := slices.ContainsFunc(k.Inputs, func(in fields.Field) bool { return in.Required })
	needed := 0
	for i, in := range k.Inputs {
		if !in.Required && (i > 0 || someNeeded) {
			continue
		}
		if needed++; needed == 1 {
			b.WriteString("    with:\n")
		}
		fmt.Fprintf(&b, "      %s: %s\n", in.Name, placeholder(in))
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
