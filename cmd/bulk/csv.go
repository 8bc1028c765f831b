package bulk

import (
	"errors"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/table"
	"evrun/tasks/expression"
)

// CommaFlag adds the flag of the separator of CSV.
func CommaFlag(c *cobra.Command, comma *string) {
	c.Flags().StringVar(comma, "comma", "", "with CSV: what separates the cells, such as ; or tab (default: a comma)")
	cli.CompleteFlag(c, "comma", ",", ";", "tab")
}

// comma reads the flag; 0: not given.
func comma(text string) (rune, error) {
	if text == "tab" || text == `\t` {
		return '\t', nil
	}
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || r == '"' || r == '\n' || r == '\r' || r == utf8.RuneError && size > 0 {
		return 0, cli.Usage("--comma %q: write one character, such as ; or tab", text)
	}
	if size == 0 {
		return 0, nil
	}
	return r, nil
}

// csvRows are the rows of a CSV as lines of NDJSON, each with the number of its first line.
type csvRows struct{ table *table.Reader }

// rows reads the header of a CSV whose rows have at most so many bytes.
func (b *sending) rows(in io.Reader, maxRow int) (*csvRows, error) {
	o, err := b.table()
	if err != nil {
		return nil, err
	}
	o.MaxRow = maxRow
	t, err := table.NewReader(in, o)
	var wrong *table.HeaderError
	switch {
	case errors.As(err, &wrong):
		return nil, cli.Usage("%s: %v", b.name, err)
	case err != nil:
		return nil, err
	}
	b.rejects.head = t.Header()
	return &csvRows{t}, nil
}

// kinds returns what the declared schema of a type says of its members; nil: nothing.
func kinds(e *cli.Env, typ string) (func(path []string) (expression.Kind, error), error) {
	cfg, err := e.Load()
	if err != nil {
		return nil, err
	}
	for _, t := range cfg.Wiring.Events {
		if t.Type == typ && t.Schema != nil {
			known := t.Schema.Type()
			return func(path []string) (expression.Kind, error) {
				at := known
				for _, name := range path {
					if field := at.Fields[name]; field != nil {
						at = field
					} else if at = at.Elem; at == nil {
						return expression.KindAny, nil
					}
				}
				return at.Kind, nil
			}, nil
		}
	}
	return nil, nil
}

// Next implements [client.Lines].
func (r *csvRows) Next() (client.Line, error) {
	row, err := r.table.Next()
	if err != nil {
		return client.Line{}, err
	}
	l := client.Line{Number: row.Line, Text: row.JSON, Original: row.Original}
	if row.Wrong != "" {
		l.Refused = &api.Problem{Status: http.StatusBadRequest, Title: http.StatusText(http.StatusBadRequest), Detail: row.Wrong}
	}
	return l, nil
}

// Waiting implements [client.Lines].
func (r *csvRows) Waiting() bool { return r.table.Waiting() }
