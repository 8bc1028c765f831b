// Package migrate moves a store into another kind of store, for `evrun migrate`: from a SQLite file to a PostgreSQL database, and back. Package
// transfer does the work; this one says from where and where to, and what came of it.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/cmd/drivers"
	"evrun/events"
	"evrun/store"
	"evrun/store/transfer"
)

// Options say what is moved.
type Options struct {
	*cli.Env
	From, To string   // a file or a URL; empty: the store of the wiring file
	Tables   []string // of the user's own; "*": all
	DryRun   bool
	Reopen   bool
}

// Moved describes a move.
type Moved struct {
	From      string  `json:"from"`
	To        string  `json:"to"`
	Store     string  `json:"store_id"`
	Sequence  int64   `json:"seq,string"` // of the last event
	DryRun    bool    `json:"dry_run,omitempty"`
	Resumed   bool    `json:"resumed,omitempty"` // it had been interrupted
	Already   bool    `json:"already,omitempty"` // it was moved there before: nothing was done
	Tables    []Table `json:"tables"`
	NotCopied []Table `json:"not_copied,omitempty"` // tables of the user's own
	TookMS    float64 `json:"took_ms"`
}

// Table is a table of a store.
type Table struct {
	Name       string `json:"name"`
	Own        bool   `json:"own,omitempty"` // of the user's own
	Rows       int64  `json:"rows"`
	Checked    string `json:"checked,omitempty"`    // rows: each is the same; count: their number is
	Sum        string `json:"sum,omitempty"`        // of the hashes of the rows
	Replaced   int64  `json:"replaced,omitempty"`   // rows with characters that can't be stored there
	Definition string `json:"definition,omitempty"` // how it is made, where it does not exist
}

// Run moves a store.
func (o *Options) Run(ctx context.Context) error {
	cfg, from, to, err := o.places()
	if err != nil {
		return err
	}
	source, err := drivers.Source(ctx, from)
	if err != nil {
		return o.hint(err, from)
	}
	defer source.Close()
	if o.Reopen {
		return o.reopen(ctx, source, from)
	}
	target, err := drivers.Target(ctx, to)
	if err != nil {
		return o.hint(err, to)
	}
	defer target.Close()
	begun := time.Now()
	made := Moved{From: from.String(), To: to.String(), Store: source.ID(), DryRun: o.DryRun, Tables: []Table{}}
	if err := o.tables(ctx, source, &made, to); err != nil {
		return err
	}
	if o.DryRun {
		err = o.look(ctx, source, target, &made)
	} else {
		err = o.move(ctx, source, target, &made)
	}
	if err != nil {
		return o.hint(err, to)
	}
	made.TookMS = float64(time.Since(begun).Microseconds()) / 1000
	return o.say(&made, cfg)
}

// places reads where the store is, and where it goes. One of both is the store of the wiring file, unless both are named.
func (o *Options) places() (cfg *config.Config, from, to settings.Store, err error) {
	cfg, err = o.Settings()
	if err != nil && (o.From == "" || o.To == "" && !o.Reopen) {
		return nil, from, to, err
	}
	if cfg != nil {
		from, to = cfg.Settings.Store, cfg.Settings.Store
	}
	for _, x := range []struct {
		text string
		into *settings.Store
	}{{o.From, &from}, {o.To, &to}} {
		if x.text == "" {
			continue
		}
		if *x.into, err = settings.Place(x.text); err != nil {
			return nil, from, to, &cli.ExitError{Code: cli.ExitUsage, Err: err}
		}
	}
	switch {
	case o.Reopen:
	case o.From == "" && o.To == "":
		return nil, from, to, cli.Usage("say where the store goes: --to postgres://user@host/evrun, or --to FILE")
	case from.String() == to.String():
		return nil, from, to, cli.Usage("%s is where the store is: name another place", to)
	}
	return cfg, from, to, nil
}

// hint adds what to do about an error.
func (o *Options) hint(err error, at settings.Store) error {
	other := &transfer.MovedError{}
	switch {
	case errors.Is(err, store.ErrLocked):
		return &cli.ExitError{Code: cli.ExitTryAgain, Err: fmt.Errorf("%w; a store moves while no daemon runs: stop evrun serve", err)}
	case errors.As(err, &other):
		return fmt.Errorf("%w: go on there; evrun migrate --reopen has it go on here, without what came since", err)
	case errors.Is(err, transfer.ErrNotEmpty):
		return fmt.Errorf("%w; move into a file that does not exist, into a database without a schema evrun, and into empty tables", err)
	case errors.Is(err, transfer.ErrOther):
		what := "remove the file"
		if at.Shared() {
			what = "DROP SCHEMA evrun CASCADE in it"
		}
		return fmt.Errorf("%s: %w, or the store was used since: %s, and begin again", at, err, what)
	case errors.Is(err, transfer.ErrColumns):
		return fmt.Errorf("%w; make the table there with the same columns, or leave it out", err)
	}
	return err
}

// tables says which tables are copied, and which of the user's own are not.
func (o *Options) tables(ctx context.Context, source transfer.Source, made *Moved, to settings.Store) error {
	plan, err := transfer.Plan(ctx, source, o.Tables)
	if err != nil {
		return &cli.ExitError{Code: cli.ExitUsage, Err: err}
	}
	copied := map[string]bool{}
	for i := range plan {
		t := &plan[i]
		if !t.Own {
			if t.Rows, err = source.Count(ctx, t); err != nil {
				return err
			}
		}
		row := Table{Name: t.Name, Own: t.Own, Rows: t.Rows}
		if t.Own {
			copied[t.Name] = true
			row.Definition = drivers.Definition(to, t)
		}
		made.Tables = append(made.Tables, row)
	}
	own, err := source.Own(ctx)
	for _, t := range own {
		if !copied[t.Name] {
			made.NotCopied = append(made.NotCopied, Table{Name: t.Name, Own: true, Rows: t.Rows})
		}
	}
	return err
}

// look finds out whether the move would begin.
func (o *Options) look(ctx context.Context, source transfer.Source, target transfer.Target, made *Moved) (err error) {
	left, err := source.Marked(ctx)
	if err != nil {
		return err
	}
	arrival, err := target.Arrival(ctx)
	switch {
	case err != nil:
		return err
	case arrival != nil && (arrival.From != source.ID() || arrival.Token != left.Token):
		return transfer.ErrOther
	case arrival == nil && left.Done:
		return &transfer.MovedError{Departure: left}
	}
	made.Resumed = arrival != nil
	made.Sequence, err = source.Head(ctx)
	return err
}

// move copies the store.
func (o *Options) move(ctx context.Context, source transfer.Source, target transfer.Target, made *Moved) error {
	p := o.Progress()
	defer p.Clear()
	last := time.Time{}
	r, err := transfer.Run(ctx, source, target, transfer.Options{To: made.To, Tables: o.Tables, Now: time.Now(), Report: func(now transfer.Progress) {
		if time.Since(last) < 100*time.Millisecond {
			return
		}
		last = time.Now()
		verb := "copying"
		if now.Checking {
			verb = "checking"
		}
		p.Say("%s %s: %.0f %%", verb, now.Table, 100*float64(now.Rows)/float64(max(now.All, now.Rows, 1)))
	}})
	if err != nil {
		return err
	}
	if made.Already = r.Already; r.Already {
		made.Sequence, err = source.Head(ctx)
		return err
	}
	made.Sequence, made.Resumed = r.Head, r.Resumed
	made.Tables = made.Tables[:0]
	for _, d := range r.Tables {
		t := Table{Name: d.Name, Own: d.Own, Rows: d.Rows, Checked: "count", Replaced: d.Cleaned}
		if d.Checked {
			t.Checked, t.Sum = "rows", d.Sum.String()
		}
		made.Tables = append(made.Tables, t)
	}
	return nil
}

// reopen takes the mark of a move away.
func (o *Options) reopen(ctx context.Context, source transfer.Source, at settings.Store) error {
	d, err := transfer.Reopen(ctx, source)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if o.JSON() {
		return events.WriteJSON(o.Out, map[string]any{"reopened": at.String(), "moved_to": d.To})
	}
	_, err = fmt.Fprintf(o.Out, "%s goes on here; the copy in %s does not belong to it any more\n", events.EscapeControl(at.String()), events.EscapeControl(d.To))
	return err
}
