package transfer

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Options of a transfer.
type Options struct {
	To     string   // the target in words, for the source's mark
	Tables []string // of the user's own, that are copied; "*": all
	Now    time.Time
	// PartRows is about how many rows a transaction copies. Default: 50,000.
	PartRows int
	// Report is called now and then with how many rows of how many were copied, and checked. nil: nobody asks.
	Report func(Progress)
}

// Progress is how far a transfer came.
type Progress struct {
	Table     string
	Rows, All int64 // of all tables; All is an estimate
	Checking  bool
}

// Result is what a transfer has copied.
type Result struct {
	Tables  []Done
	Head    int64
	Resumed bool // an interrupted transfer was continued
	Already bool // it had ended before: nothing was copied now
	Took    time.Duration
}

// Done is a table that was copied.
type Done struct {
	Name    string
	Own     bool
	Rows    int64
	Sum     Sum
	Checked bool  // row by row; else only their number
	Cleaned int64 // rows with a text that the target can't store: NUL and what is not UTF-8 was replaced
}

// The bounds of a part, which is one transaction.
const (
	partRows  = 50_000 // by default
	partBytes = 32 << 20
	pageRows  = 1000 // that the reading goroutine hands over at once
)

// transfer is one that goes on.
type transfer struct {
	from Source
	to   Target
	o    Options
	a    *Arrival
	p    Progress
}

// Run copies a store, or what is left of a copy that was interrupted. Afterwards the source is marked, and the target is a store.
func Run(ctx context.Context, from Source, to Target, o Options) (r *Result, err error) {
	begun := time.Now()
	if o.PartRows <= 0 {
		o.PartRows = partRows
	}
	t := &transfer{from: from, to: to, o: o}
	tables, err := Plan(ctx, from, o.Tables)
	if err != nil {
		return nil, err
	}
	r = &Result{}
	if r.Already, err = t.arrived(ctx); err != nil || r.Already {
		return r, err
	}
	if r.Resumed, err = t.begin(ctx); err != nil {
		return nil, err
	}
	for i := range tables {
		n, err := from.Count(ctx, &tables[i])
		if err != nil {
			return nil, err
		}
		t.p.All += 2 * n
	}
	if r.Head, err = from.Head(ctx); err != nil {
		return nil, err
	}
	there := make([]Table, len(tables)) // as they are in the target
	for i := range tables {
		if there[i], err = t.table(ctx, &tables[i]); err != nil {
			return nil, fmt.Errorf("table %s: %w", tables[i].Name, err)
		}
	}
	for i := range tables {
		done, err := t.check(ctx, tables[i].Name, &there[i])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", tables[i].Name, err)
		}
		r.Tables = append(r.Tables, done)
	}
	// The source first: it must not be used once the target can be.
	d, err := from.Marked(ctx)
	if err != nil {
		return nil, err
	}
	d.Done = true
	if err := from.Mark(ctx, d); err != nil {
		return nil, err
	}
	if err := to.Finish(ctx, t.a, r.Head); err != nil {
		return nil, err
	}
	r.Took = time.Since(begun)
	return r, nil
}

// Plan returns the tables that a transfer copies.
func Plan(ctx context.Context, from Source, names []string) ([]Table, error) {
	list := append([]Table{}, Tables...)
	own, err := from.Own(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range own {
		for _, name := range names {
			if name == "*" || strings.EqualFold(name, t.Name) {
				list = append(list, t)
				break
			}
		}
	}
	for _, name := range names {
		if name == "*" {
			continue
		}
		found := false
		for _, t := range own {
			found = found || strings.EqualFold(name, t.Name)
		}
		if !found {
			return nil, fmt.Errorf("there is no table %s of your own", name)
		}
	}
	return list, nil
}

// arrived reports whether this transfer has ended: then it need not be done again.
func (t *transfer) arrived(ctx context.Context) (bool, error) {
	left, err := t.from.Marked(ctx)
	if err != nil || !left.Done {
		return false, err
	}
	token, err := t.to.Arrived(ctx)
	return token == left.Token, err
}

// begin marks the source and the target, or finds that both have the marks of this transfer.
func (t *transfer) begin(ctx context.Context) (resumed bool, err error) {
	left, err := t.from.Marked(ctx)
	if err != nil {
		return false, err
	}
	if t.a, err = t.to.Arrival(ctx); err != nil {
		return false, err
	}
	switch {
	case t.a != nil && (t.a.From != t.from.ID() || t.a.Token != left.Token):
		return false, ErrOther
	case t.a != nil:
		return true, nil
	case left.Done:
		return false, &MovedError{left}
	}
	d := Departure{To: t.o.To, Token: rand.Text(), Since: t.o.Now.UTC()}
	if err := t.from.Mark(ctx, d); err != nil {
		return false, err
	}
	t.a = &Arrival{From: t.from.ID(), Token: d.Token, Tables: map[string]*State{}}
	return false, t.to.Begin(ctx, t.a)
}

func (t *transfer) report(table string, rows int) {
	t.p.Table = table
	t.p.Rows += int64(rows)
	if t.o.Report != nil {
		t.o.Report(t.p)
	}
}

// table copies what is left of a table, and returns it as it is in the target.
func (t *transfer) table(ctx context.Context, table *Table) (there Table, err error) {
	there = *table
	state := t.a.Tables[table.Name]
	if table.Own {
		if there, err = t.to.Create(ctx, table, state != nil); err != nil {
			return there, err
		}
	}
	if state == nil {
		state = &State{}
		t.a.Tables[table.Name] = state
	}
	t.report(table.Name, int(state.Rows))
	if state.Done {
		return there, nil
	}
	if !table.Keyed {
		*state = State{}
	}
	after, err := state.after(table)
	if err != nil {
		return there, err
	}
	next, end := iter.Pull2(t.pages(ctx, table, &there, after))
	defer end()
	for !state.Done {
		before := *state
		if err := t.to.Put(ctx, &there, t.part(table, state, next), t.a); err != nil {
			*state = before
			return there, err
		}
	}
	return there, nil
}

// part is what one transaction copies of a table: all that is left of it, or a bounded part of a keyed one. The state is that of the rows that were read.
func (t *transfer) part(table *Table, state *State, next func() (page, error, bool)) iter.Seq2[[]Row, error] {
	return func(yield func([]Row, error) bool) {
		for n, size := 0, 0; !table.Keyed || n < t.o.PartRows && size < partBytes; {
			page, err, ok := next()
			if !ok {
				state.Done = true
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			n += len(page.rows)
			size += page.size
			state.Rows += int64(len(page.rows))
			state.Clean += page.cleaned
			state.Sum.add(page.sum)
			state.After = keyText(page.rows[len(page.rows)-1][0])
			if !yield(page.rows, nil) {
				return
			}
			t.report(table.Name, len(page.rows))
		}
	}
}

// check reads a table from the target, and compares it.
func (t *transfer) check(ctx context.Context, name string, table *Table) (done Done, err error) {
	t.p.Checking = true
	state := t.a.Tables[name]
	done = Done{Name: name, Own: table.Own, Rows: state.Rows, Sum: state.Sum, Cleaned: state.Clean, Checked: table.Comparable()}
	if !done.Checked {
		n, err := t.to.Count(ctx, table)
		if err == nil && n != state.Rows {
			err = fmt.Errorf("%w: %d rows of %d", ErrDiffers, n, state.Rows)
		}
		t.report(name, int(n))
		return done, err
	}
	var (
		n, before int64
		sum       Sum
		buffer    []byte
	)
	for row, err := range t.to.Rows(ctx, table, nil) {
		if err != nil {
			return done, err
		}
		buffer = sum.Add(buffer, row)
		if n++; n%pageRows == 0 {
			t.report(name, int(n-before))
			before = n
		}
	}
	t.report(name, int(n-before))
	if n != state.Rows || sum != state.Sum {
		return done, fmt.Errorf("%w: %d rows with the sum %s, which were %d with %s", ErrDiffers, n, sum, state.Rows, state.Sum)
	}
	return done, nil
}
