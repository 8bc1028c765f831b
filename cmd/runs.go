package cmd

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/store"
)

type runsOptions struct {
	*env
	handler string
	states  []string
	event   string
	limit   int
	all     bool
	yes     bool
}

func newRunsCmd(e *env) *cobra.Command {
	o := &runsOptions{env: e}
	c := &cobra.Command{
		Use:   "runs",
		Short: "Show what the handlers did; retry or drop dead runs",
		Args:  unknownCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List runs, newest event first",
		Example: `  evrun runs list --state dead
  evrun runs list --handler save-user --state running,retrying -n 0 -o json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runRunsList(c.Context(), o) },
	}
	f := list.Flags()
	o.selectionFlags(list)
	f.StringSliceVar(&o.states, "state", nil, "only runs in these states: running, retrying, succeeded, skipped, dead, dropped")
	f.IntVarP(&o.limit, "limit", "n", 100, "at most so many; 0: all")
	complete(list, "state", "running", "retrying", "succeeded", "skipped", "dead", "dropped")

	show := &cobra.Command{
		Use:   "show RUN",
		Short: "Show one run, with its event and its failed attempts",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("runs show takes one run id, such as 42-save-user-k3f9x2q7")
			}
			return nil
		},
		ValidArgsFunction: e.completeRuns(store.RunQuery{}),
		RunE:              func(c *cobra.Command, args []string) error { return runRunsShow(c.Context(), e, args[0]) },
	}
	c.AddCommand(list, show, newRunsRetryCmd(e), newRunsDropCmd(e))
	return c
}

// selectionFlags are those that say which runs are meant.
func (o *runsOptions) selectionFlags(c *cobra.Command) {
	c.Flags().StringVar(&o.handler, "handler", "", "only runs of this handler")
	c.Flags().StringVar(&o.event, "event", "", "only runs on this event: its seq or its id")
	_ = c.RegisterFlagCompletionFunc("handler", o.completeHandlers) // fails for a flag that isn't there
}

// query makes the flags a query.
func (o *runsOptions) query(ctx context.Context, c *api.Client) (q store.RunQuery, err error) {
	q.Handler = o.handler
	for _, name := range o.states {
		state, ok := store.ParseRunState(name)
		if !ok {
			return q, usage("--state %q: must be running, retrying, succeeded, skipped, dead or dropped", name)
		}
		q.States = append(q.States, state)
	}
	if o.event != "" {
		e, err := findEvent(ctx, c, o.event)
		if err != nil {
			return q, err
		}
		q.Sequence = e.Sequence
	}
	return q, nil
}

func runRunsList(ctx context.Context, o *runsOptions) error {
	if o.limit < 0 {
		return usage("--limit %d: not below 0", o.limit)
	}
	return o.look(ctx, func(c *api.Client) error {
		q, err := o.query(ctx, c)
		if err != nil {
			return err
		}
		p := o.printer()
		header := true
		for left := o.limit; ; {
			q.Limit = listPage
			if o.limit > 0 {
				q.Limit = min(listPage, left+1) // one more says whether there are more
			}
			page, err := c.Runs(ctx, q)
			if err != nil {
				return err
			}
			more := o.limit > 0 && len(page) > left
			if more {
				page = page[:left]
			}
			if err := p.runs(page, header); err != nil {
				return err
			}
			if more {
				o.note("there are more; -n 0 lists all")
			}
			if more || len(page) < listPage {
				return nil
			}
			left -= len(page)
			header = false
			q.AfterID = page[len(page)-1].ID
		}
	})
}

func runRunsShow(ctx context.Context, e *env, id string) error {
	return e.look(ctx, func(c *api.Client) error {
		r, err := c.Run(ctx, id)
		if err != nil {
			return err
		}
		ev, err := eventAt(ctx, c, r.Sequence)
		if err != nil {
			return err
		}
		if e.json() {
			return e.printJSON(struct {
				api.RunDetails
				Event *events.Event `json:"event,omitempty"`
			}{r, ev})
		}
		return e.showRun(r, ev)
	})
}

func (e *env) showRun(r api.RunDetails, ev *events.Event) error {
	table := newTable(e.out)
	row := func(name, value string) { fmt.Fprintf(table, "%s\t%s\n", name, value) }
	at := func(name string, t *time.Time) {
		if t != nil {
			row(name, t.Format(time.RFC3339Nano))
		}
	}
	row("run", events.EscapeControl(r.ID))
	row("handler", events.EscapeControl(r.Handler))
	row("state", r.State)
	if r.Reason != "" {
		row("reason", events.EscapeControl(r.Reason))
	}
	if r.Joined != "" {
		row("joined", events.EscapeControl(r.Joined))
	}
	row("attempt", strconv.Itoa(r.Attempt))
	at("started", r.StartedAt)
	at("finished", r.FinishedAt)
	at("next attempt", r.NextAttemptAt)
	if err := table.Flush(); err != nil {
		return err
	}
	if ev != nil {
		fmt.Fprintf(e.out, "\nevent #%d\n", ev.Sequence)
		if err := e.showEvent(ev, "  "); err != nil {
			return err
		}
	}
	if len(r.Attempts) > 0 {
		fmt.Fprintf(e.out, "\nfailed attempts\n")
	}
	for _, a := range r.Attempts {
		_, err := fmt.Fprintf(e.out, "  %d  %s  after %v\n%s", a.Attempt, a.StartedAt.Format(time.RFC3339Nano), a.FinishedAt.Sub(a.StartedAt),
			indent(e.folded(a.Error), "     "))
		if err != nil {
			return err
		}
	}
	return nil
}

// folded is an error's first line, unless all of it is wanted: a panic brings its stack.
func (e *env) folded(text string) string {
	text = strings.TrimRight(text, "\n")
	first, rest, more := strings.Cut(text, "\n")
	if !more || e.verbose {
		return text
	}
	return fmt.Sprintf("%s\n(%d more lines: -v shows them)", first, strings.Count(rest, "\n")+1)
}
