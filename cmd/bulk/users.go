package bulk

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/api/export"
	"evrun/cmd/cli"
	"evrun/cmd/table"
	"evrun/events"
	"evrun/tasks/fault"
	"evrun/tasks/users"
)

// UserImport is an import of users, as its flags describe it.
type UserImport struct {
	Format
	Update  bool
	Rejects string
	From    int
}

// Format is that of a file with users.
type Format struct {
	CSV, NDJSON bool
	Comma       string
}

// Flags adds the flags of a format.
func (f *Format) Flags(c *cobra.Command) {
	c.Flags().BoolVar(&f.CSV, "csv", false, "the format is CSV")
	c.Flags().BoolVar(&f.NDJSON, "ndjson", false, "the format is NDJSON, a user a line")
	CommaFlag(c, &f.Comma)
}

// check refuses flags that don't go together.
func (f *Format) check() error {
	switch {
	case f.CSV && f.NDJSON:
		return cli.Usage("--csv and --ndjson: give one of them")
	case f.NDJSON && f.Comma != "":
		return cli.Usage("--comma goes with CSV")
	}
	return nil
}

// of finds the format of a file by its flag, or by its name.
func (f *Format) of(name string) error {
	if err := f.check(); err != nil {
		return err
	}
	if !f.CSV && !f.NDJSON {
		ending := strings.ToLower(filepath.Ext(name))
		f.CSV = f.Comma != "" || slices.Contains([]string{".csv", ".tsv"}, ending)
		f.NDJSON = !f.CSV && slices.Contains([]string{".ndjson", ".jsonl"}, ending)
		if f.CSV && f.Comma == "" && ending == ".tsv" {
			f.Comma = "tab"
		}
	}
	if !f.CSV && !f.NDJSON {
		return cli.Usage("%s: say with --csv or --ndjson which format it has", name)
	}
	return nil
}

// Run imports the users of a file, or of standard input.
func (o *UserImport) Run(ctx context.Context, e *cli.Env, name string) error {
	if err := o.of(name); err != nil {
		return err
	}
	count := map[string]int{}
	s := &sending{
		Env: e, name: name, access: cli.ImportsUsers,
		lines: client.LinesOptions{LineDefaults: api.LineDefaults{First: o.From}, Users: true, Update: o.Update},
		taken: func(a client.LineAnswer) {
			for _, result := range []string{"inserted", "updated", "kept"} {
				if bytes.HasSuffix(a.JSON, []byte(`"result":"`+result+`"}`)) {
					count[result]++
				}
			}
		},
		counts: func() (string, string, bool) {
			return fmt.Sprintf("%d inserted, %d updated, %d kept", count["inserted"], count["updated"], count["kept"]), "users", false
		},
		again:   "users that are stored already are kept, or updated to the same",
		rejects: rejects{path: o.Rejects},
	}
	if o.CSV {
		s.table = func() (t table.Options, err error) {
			t.Kind = users.Kind
			t.Comma, err = comma(o.Comma)
			return t, err
		}
	}
	return s.run(ctx)
}

// UserExport is an export of users, as its flags describe it.
type UserExport struct {
	Format
	Spreadsheet bool
}

// Run writes all users, page by page.
func (o *UserExport) Run(ctx context.Context, e *cli.Env) error {
	write, flush, err := o.writer(e)
	if err != nil {
		return err
	}
	n := 0
	err = e.Look(ctx, func(c *client.Client) error {
		for after := ""; ; {
			page, info, err := c.Users(ctx, api.Paging{After: after, Limit: 1000})
			if err != nil {
				return err
			}
			for i := range page {
				if err := write(&page[i]); err != nil {
					return err
				}
			}
			n += len(page)
			if after = info.Next; after == "" {
				return flush()
			}
		}
	})
	if err == nil {
		e.Note("%s exported", fault.Plural(n, "user"))
	}
	return err
}

// writer returns what writes a user, and the rest at the end.
func (o *UserExport) writer(e *cli.Env) (write func(*api.User) error, flush func() error, err error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	if o.NDJSON || e.JSON() && !o.CSV {
		if o.Spreadsheet {
			return nil, nil, cli.Usage("--spreadsheet goes with CSV")
		}
		return func(u *api.User) error { return events.WriteJSON(e.Out, u) }, func() error { return nil }, nil
	}
	sep, err := comma(o.Comma)
	if err != nil {
		return nil, nil, err
	}
	w, err := export.NewCSV(e.Out, sep, o.Spreadsheet)
	return w.Write, func() error {
		if w.Formulas > 0 && !o.Spreadsheet {
			e.Note("%s that a spreadsheet would take as formulas, beginning with =, +, - or @: --spreadsheet writes a ' before them", fault.Plural(w.Formulas, "cell"))
		}
		return w.Flush()
	}, err
}
