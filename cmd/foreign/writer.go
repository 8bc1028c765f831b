package foreign

import (
	"cmp"
	"fmt"
	"strings"
)

// Writer writes a wiring file, and notes where its parts are: each belongs to a thing of the other program's file.
type Writer[T comparable] struct {
	strings.Builder
	lines  int
	places []place[T]
}

// place is where a part is: lines from 1, without to.
type place[T comparable] struct {
	of       T
	from, to int
}

// Line writes a line, or several.
func (w *Writer[T]) Line(format string, args ...any) {
	text := fmt.Sprintf(format, args...) + "\n"
	w.WriteString(text)
	w.lines += strings.Count(text, "\n")
}

// Each writes a part for each thing.
func (w *Writer[T]) Each(things []T, part func(T)) {
	for _, t := range things {
		from := w.lines + 1
		part(t)
		w.places = append(w.places, place[T]{t, from, w.lines + 1})
	}
}

// Left writes what was not carried over, as comments below a title.
func (w *Writer[T]) Left(title string, left []Left) {
	if len(left) > 0 {
		w.Line("#\n# %s", title)
	}
	for _, l := range left {
		w.Line("#   %d: %s", l.Line, Comment(l.Text))
		w.Line("#      %s", Comment(l.Reason))
	}
}

// Faulty returns the things whose parts have faults, each with one of them. faults are by their lines: see [Check].
func (w *Writer[T]) Faulty(faults map[int]string) map[T]string {
	wrong := map[T]string{}
	for line, why := range faults {
		for _, p := range w.places {
			if p.from <= line && line < p.to {
				wrong[p.of] = why
			}
		}
	}
	return wrong
}

// Source is what a comment calls a file; empty: standard input.
func Source(name string) string { return Comment(cmp.Or(name, Name("-"))) }
