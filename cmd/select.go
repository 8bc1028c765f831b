package cmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/output"
	"evrun/store"
	"evrun/tasks/fault"
	"evrun/tasks/search"
)

// selection are the flags that select events or runs: the same ones in every command that selects.
type selection struct {
	search.Selection
	since, until string
	limit        int
	after        string
}

// eventFlags adds the flags that select events, or other things by their events.
func (o *selection) eventFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&o.Types, "type", nil, "only events of these types or patterns: user.registered, user.*, order.>")
	f.StringVar(&o.Source, "source", "", "only events of this source")
	f.StringVar(&o.since, "since", "", "only events accepted since then: 10m, 2h, 1d (ago), yesterday, 2026-11-25, 2026-11-25T10:00")
	f.StringVar(&o.until, "until", "", "only events accepted before then, written like --since")
	f.StringVar(&o.Event, "event", "", "only this event: its seq or its id")
	f.StringVar(&o.Chain, "chain", "", "only the chain that this event (its seq or id) belongs to: the first one, and all that it caused")
	f.StringVar(&o.Where, "where", "", "only those for which this expression is true, such as 'data.total > 100'")
}

// runFlags adds the flags that select runs in some states; none: in all.
func (o *selection) runFlags(e *env, c *cobra.Command, states ...store.RunState) {
	o.eventFlags(c)
	names := search.StateNames(states...)
	c.Flags().StringVar(&o.Handler, "handler", "", "only runs of this handler")
	c.Flags().StringSliceVar(&o.States, "state", nil, "only runs in these states: "+strings.Join(names, ", "))
	_ = c.RegisterFlagCompletionFunc("handler", e.completeHandlers()) // an error means that the flag does not exist
	complete(c, "state", names...)
}

// pageFlags adds the flags of a list, of usually so many rows.
func (o *selection) pageFlags(c *cobra.Command, usual int) {
	limitFlag(c, &o.limit, usual)
	c.Flags().StringVar(&o.after, "after", "", "go on where another list stopped, with the cursor that it named")
}

// read reads the flags' times, and checks everything that needs no store with check.
func (o *selection) read(check func() error) (err error) {
	now := time.Now()
	for _, flag := range []struct {
		name, text string
		to         *time.Time
	}{{"--since", o.since, &o.Since}, {"--until", o.until, &o.Until}} {
		if flag.text == "" {
			continue
		}
		if *flag.to, err = parseTime(flag.name, flag.text, time.Local, now); err != nil {
			return err
		}
	}
	if err := check(); err != nil {
		return usage("--%v", err)
	}
	return checkLimit(o.limit)
}

// listed lists what the flags select, page by page. On a terminal it shows how far a long search has come.
func listed[T any](e *env, o *selection, columns []output.Column[T], read func(api.Paging) ([]T, api.PageInfo, error)) error {
	p := progress{e: e}
	failed, failure := 0, ""
	rest, err := output.Pages(e.printer(), columns, o.after, o.limit, func(after string, n int) ([]T, string, error) {
		rows, info, err := read(api.Paging{After: after, Limit: n})
		if failed += info.Failed; failure == "" {
			failure = info.Failure
		}
		p.show(len(rows), info)
		return rows, info.Next, err
	})
	p.clear()
	if failed > 0 {
		e.note("--where could not be evaluated for %d of them, which are left out: %s", failed, failure)
	}
	switch {
	case err != nil && rest != "" && e.flags.Context().Err() != nil:
		e.note("stopped; --after %s goes on from here", rest)
	case err == nil && rest != "":
		e.note("there are more; -n 0 lists all, --after %s goes on from here", rest)
	}
	return err
}

// progress shows on a terminal how far a search has come, while it finds nothing for long.
type progress struct {
	e       *env
	since   time.Time // of the last row
	scanned int64     // since then
	shown   bool
}

// patience is how long a search may find nothing before it says how far it has come.
const patience = 300 * time.Millisecond

// show is called with each page, before it is printed.
func (p *progress) show(rows int, info api.PageInfo) {
	now := time.Now()
	if p.scanned += info.Scanned; rows > 0 || p.since.IsZero() {
		p.since, p.scanned = now, 0
		p.clear()
		return
	}
	if p.e.quiet || now.Sub(p.since) < patience || !p.e.terminal(p.e.err) {
		return
	}
	p.shown = true
	fmt.Fprintf(p.e.err, "\r\x1b[Ksearching: %.0f %%, %s looked at", info.Progress*100, fault.Plural(int(p.scanned), "event"))
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.e.err, "\r\x1b[K")
	}
	p.shown = false
}
