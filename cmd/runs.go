package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/output"
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
	limitFlag(list, &o.limit, 100)
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
	return group(c, list, show, newRunsRetryCmd(e), newRunsDropCmd(e))
}

// selectionFlags adds the flags that select runs.
func (o *runsOptions) selectionFlags(c *cobra.Command) {
	c.Flags().StringVar(&o.handler, "handler", "", "only runs of this handler")
	c.Flags().StringVar(&o.event, "event", "", "only runs on this event: its seq or its id")
	_ = c.RegisterFlagCompletionFunc("handler", o.completeHandlers()) // an error means that the flag does not exist
}

// query makes a query of the flags. Only --event needs the client.
func (o *runsOptions) query(ctx context.Context, c *client.Client) (q store.RunQuery, err error) {
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
	if err := checkLimit(o.limit); err != nil {
		return err
	}
	return o.look(ctx, func(c *client.Client) error {
		q, err := o.query(ctx, c)
		if err != nil {
			return err
		}
		return pages(o.env, output.Runs(), o.limit, func(last *api.Run, n int) ([]api.Run, error) {
			if q.Limit = n; last != nil {
				q.AfterID = last.ID
			}
			return c.Runs(ctx, q)
		})
	})
}

func runRunsShow(ctx context.Context, e *env, id string) error {
	return e.look(ctx, func(c *client.Client) error {
		r, err := c.Run(ctx, id)
		if err != nil {
			return err
		}
		ev, err := eventAt(ctx, c, r.Sequence)
		if err != nil {
			return err
		}
		return e.printer().RunDetails(r, ev)
	})
}
