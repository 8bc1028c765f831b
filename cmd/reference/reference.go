// Package reference makes the pages under .github/docs from the code: commands, keys, kinds, functions, routes, types, shapes, tables and metrics. Only a
// test calls it, which compares the pages with the files, or writes them:
//
//	go test ./cmd -run TestReference -update
//
// What is described is read from the table that the program itself uses. The few texts that have no such table (an example of each kind, the routes) are
// in this package, and it is an error when one is missing or describes something that does not exist.
package reference

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// Sources are what the pages are made of, beside the tables that packages export.
type Sources struct {
	Root   *cobra.Command              // the tree of commands
	Help   func(command string) string // the help of a command, as "evrun COMMAND --help" prints it
	Tables []Table                     // of the store
	Dir    string                      // the repository, where the comments of types are read
}

// Pages makes all pages, by the name of the file.
func Pages(s Sources) (map[string]string, error) {
	pages := map[string]string{}
	var errs []error
	for _, p := range []struct {
		file string
		make func(Sources) (string, error)
	}{
		{"commands.md", commands}, {"wiring.md", wiring}, {"kinds.md", kinds}, {"expressions.md", expressions}, {"http.md", routes},
		{"events.md", ownEvents}, {"json.md", shapes}, {"exit-codes.md", exitCodes}, {"sql.md", tables}, {"metrics.md", allMetrics}, {"environment.md", environment},
	} {
		text, err := p.make(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.file, err))
		}
		pages[p.file] = "<!-- Made from the code: go test ./cmd -run TestReference -update -->\n\n" + strings.TrimRight(text, "\n") + "\n"
	}
	return pages, errors.Join(errs...)
}

// page is a page that is being written.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// heading writes a heading of a level and an empty line on both sides of it.
func (p *page) heading(level int, text string) {
	if p.Len() > 0 {
		p.line("")
	}
	p.line("%s %s\n", strings.Repeat("#", level), text)
}

// code writes a block of code.
func (p *page) code(language, text string) {
	p.line("```%s\n%s\n```", language, strings.TrimRight(text, "\n"))
}

// table writes a table, and leaves out its columns that are empty in every row.
func (p *page) table(head []string, rows [][]string) {
	var kept []int
	for i := range head {
		if slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" }) {
			kept = append(kept, i)
		}
	}
	row := func(cells []string) {
		for _, i := range kept {
			p.WriteString("| " + cell(cells[i]) + " ")
		}
		p.WriteString("|\n")
	}
	row(head)
	p.line("|%s", strings.Repeat("---|", len(kept)))
	for _, cells := range rows {
		row(cells)
	}
}

// cell makes a text one cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// quoted is a text in the font of code.
func quoted(text string) string {
	if text == "" {
		return ""
	}
	if strings.Contains(text, "`") {
		return "`` " + text + " ``"
	}
	return "`" + text + "`"
}

// Anchor is the address of a heading within a page, as GitHub makes it.
func Anchor(heading string) string {
	return "#" + strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
