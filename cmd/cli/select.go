package cli

import (
	"cmp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/output"
	"evrun/store"
	"evrun/tasks/search"
)

// SelectionFlags are the flags that select events or runs: the same ones in every command that selects.
type SelectionFlags struct {
	search.Selection
	since, until string
	Limit        int // rows of a list; 0: all
	after        string
}

// AddEventFlags adds the flags that select events, or other things by their events.
func (o *SelectionFlags) AddEventFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&o.Types, "type", nil, "only events of these types or patterns: user.registered, user.*, order.>")
	f.StringVar(&o.Source, "source", "", "only events of this source")
	f.StringVar(&o.since, "since", "", "only events accepted since then: 10m, 2h, 1d (ago), yesterday, 2026-11-25, 2026-11-25T10:00")
	f.StringVar(&o.until, "until", "", "only events accepted before then, written like --since")
	f.StringVar(&o.Event, "event", "", "only this event: its seq or its id")
	f.StringVar(&o.Chain, "chain", "", "only the chain that this event (its seq or id) belongs to: the first one, and all that it caused")
	f.StringVar(&o.Where, "where", "", "only those for which this expression is true, such as 'data.total > 100'")
}

// AddRunFlags adds the flags that select runs in some states; none: in all.
func (o *SelectionFlags) AddRunFlags(e *Env, c *cobra.Command, states ...store.RunState) {
	o.AddEventFlags(c)
	names := search.StateNames(states...)
	c.Flags().StringVar(&o.Handler, "handler", "", "only runs of this handler")
	c.Flags().StringSliceVar(&o.States, "state", nil, "only runs in these states: "+strings.Join(names, ", "))
	e.LabelFlag(c, &o.Labels, "only runs of handlers with this label")
	_ = c.RegisterFlagCompletionFunc("handler", e.CompleteHandlers()) // an error means that the flag does not exist
	CompleteFlag(c, "state", names...)
}

// AddPageFlags adds the flags of a list, of usually so many rows.
func (o *SelectionFlags) AddPageFlags(c *cobra.Command, usual int) {
	LimitFlag(c, &o.Limit, usual)
	c.Flags().StringVar(&o.after, "after", "", "go on where another list stopped, with the cursor that it named")
}

// ReadFlags reads the flags' times, and checks everything that needs no store with check.
func (o *SelectionFlags) ReadFlags(check func() error) (err error) {
	now := time.Now()
	for _, flag := range []struct {
		name, text string
		to         *time.Time
	}{{"--since", o.since, &o.Since}, {"--until", o.until, &o.Until}} {
		if flag.text == "" {
			continue
		}
		if *flag.to, err = ParseTime(flag.name, flag.text, time.Local, now); err != nil {
			return err
		}
	}
	if err := check(); err != nil {
		return Usage("--%v", err)
	}
	if err := CheckLabels(o.Labels); err != nil {
		return err
	}
	return CheckLimit(o.Limit)
}

// ListPages lists what the flags select, page by page. On a terminal it shows how far a long search has come.
func ListPages[T any](e *Env, o *SelectionFlags, columns []output.Column[T], read func(api.Paging) ([]T, api.PageInfo, error)) error {
	p, out, hint := e.Progress(), LeftOut{}, ""
	rest, err := output.Pages(e.Printer(), columns, o.after, o.Limit, func(after string, n int) ([]T, string, error) {
		rows, info, err := read(api.Paging{After: after, Limit: n})
		out.Add(info)
		p.Show(len(rows), info)
		hint = info.Hint
		return rows, info.Next, err
	})
	p.Clear()
	out.Note(e)
	if hint != "" {
		e.Note("%s", hint)
	}
	switch {
	case err != nil && rest != "" && e.Command.Context().Err() != nil:
		e.Note("stopped; --after %s goes on from here", rest)
	case err == nil && rest != "":
		e.Note("there are more; -n 0 lists all, --after %s goes on from here", rest)
	}
	return err
}

// LeftOut is what a search left out, page by page, because --where could not be evaluated.
type LeftOut struct {
	n   int
	why string // of the first
}

// Add counts a page.
func (l *LeftOut) Add(info api.PageInfo) {
	l.n += info.Failed
	l.why = cmp.Or(l.why, info.Failure)
}

// Note says how many there are, if there are any.
func (l *LeftOut) Note(e *Env) {
	if l.n > 0 {
		e.Note("--where could not be evaluated for %d of them, which are left out: %s", l.n, l.why)
	}
}
