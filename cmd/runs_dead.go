package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/search"
)

// runChange changes dead runs: one by its id, or many by a query.
type runChange struct {
	name, done string // "retry", "retried"
	states     []store.RunState
	one        func(ctx context.Context, c *client.Client, id string) error
	many       func(ctx context.Context, c *client.Client, sel search.Selection) (int, error)
}

func newRunsRetryCmd(e *env) *cobra.Command {
	o := &runsOptions{env: e}
	c := &cobra.Command{
		Use:   "retry RUN... | --handler NAME | --event SEQUENCE|ID | --all",
		Short: "Make dead runs due again now",
		Long: `Makes dead runs due again now, with a new budget of attempts. A run keeps its id, which is the idempotency key that its handler
gives to others, and the history of its attempts. Without a daemon the runs wait for "evrun serve".`,
		Example: `  evrun runs retry 42-save-user-k3f9x2q7
  evrun runs retry --handler save-user`,
	}
	o.changes(c, runChange{name: "retry", done: "retried", states: []store.RunState{store.Dead},
		one: func(ctx context.Context, c *client.Client, id string) error {
			r, err := c.RetryRun(ctx, id)
			if err != nil || !e.json() {
				return err
			}
			return e.printJSON(r)
		},
		many: func(ctx context.Context, c *client.Client, sel search.Selection) (int, error) {
			return c.RetryRuns(ctx, sel)
		},
	})
	return c
}

func newRunsDropCmd(e *env) *cobra.Command {
	o := &runsOptions{env: e}
	c := &cobra.Command{
		Use:   "drop RUN... | --handler NAME | --event SEQUENCE|ID | --all",
		Short: "Give up dead runs",
		Long: `Gives up dead runs: they become dropped, and stay so. Their events are not handled again, and the history of their attempts stays.
Runs that wait for a handler that is no longer in the wiring file can be dropped too: by their ids, or with --state running,retrying.
--all asks first, unless --yes is given.`,
		Example: `  evrun runs drop 42-save-user-k3f9x2q7
  evrun runs drop --handler old-name --state dead,running,retrying
  evrun runs drop --all --yes`,
	}
	o.changes(c, runChange{name: "drop", done: "dropped", states: []store.RunState{store.Dead, store.Running, store.Retrying},
		one: func(ctx context.Context, c *client.Client, id string) error {
			err := c.DropRun(ctx, id)
			if err != nil || !e.json() {
				return err
			}
			return e.printJSON(map[string]string{"dropped": id})
		},
		many: func(ctx context.Context, c *client.Client, sel search.Selection) (int, error) {
			return c.DropRuns(ctx, sel)
		},
	})
	c.Flags().BoolVar(&o.yes, "yes", false, "with --all: don't ask")
	return c
}

// changes makes c a command that changes dead runs.
func (o *runsOptions) changes(c *cobra.Command, change runChange) {
	o.runFlags(o.env, c, change.states...)
	c.Flags().BoolVar(&o.all, "all", false, "all dead runs")
	c.ValidArgsFunction = o.completeRuns(change.states...)
	c.RunE = func(c *cobra.Command, ids []string) error { return runRunsChange(c.Context(), o, change, ids) }
}

func runRunsChange(ctx context.Context, o *runsOptions, change runChange, ids []string) error {
	if err := o.selected(ctx, change, ids); err != nil {
		return err
	}
	cfg, err := o.settings()
	if err != nil {
		return err
	}
	done, failed, byID := 0, 0, len(ids) > 0
	alone, err := o.ask(ctx, cfg, changesRuns, func(c *client.Client) error {
		if !byID {
			n, err := change.many(ctx, c, o.Selection)
			done += n
			return err
		}
		for ; len(ids) > 0; ids = ids[1:] { // a second call continues where the first one stopped
			err := change.one(ctx, c, ids[0])
			switch {
			case err == nil:
				done++
			case isAboutOne(err):
				failed++
				fmt.Fprintf(o.err, "evrun: %s\n", events.EscapeControl(err.Error()))
			default:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case !o.json():
		fmt.Fprintf(o.out, "%d %s\n", done, change.done)
	case !byID:
		err = o.printJSON(map[string]int{change.done: done})
	}
	if alone && done > 0 && change.name == "retry" {
		o.note("no daemon is running: the runs wait in %s for evrun serve", cfg.Settings.Store.Path)
	}
	if err == nil && failed > 0 {
		err = &exitError{code: exitFailed, err: errors.New("some runs were left as they are"), silent: true}
	}
	return err
}

// selected checks that run ids or flags, and not both, select runs. It asks before all runs are dropped.
func (o *runsOptions) selected(ctx context.Context, change runChange, ids []string) error {
	if err := o.read(o.CheckRuns); err != nil {
		return err
	}
	for _, name := range o.States {
		if state, ok := store.ParseRunState(name); !ok || !slices.Contains(change.states, state) {
			return usage("--state %s: only dead runs can be retried or dropped; running and retrying ones can be dropped while their handler is not wired", name)
		}
	}
	sel := o.Selection
	sel.States = nil
	narrowed := !sel.All()
	everything := o.all || len(o.States) > 0 && !narrowed
	switch {
	case len(ids) > 0 && (narrowed || everything):
		return usage("runs %s takes run ids or flags that select runs, not both", change.name)
	case narrowed && o.all:
		return usage("--all goes without flags that select runs")
	case len(ids) == 0 && !narrowed && !everything:
		return usage("say which runs to %s: their ids, flags that select them, or --all", change.name)
	}
	if everything && change.name == "drop" && !o.yes {
		return o.confirm(ctx, "Drop all these runs for good?", "this can't be undone", "nothing was dropped")
	}
	return nil
}
