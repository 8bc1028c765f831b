package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api/client"
	"evrun/tasks/control"
)

func newRunsDropCmd(e *env) *cobra.Command {
	o := &selected{env: e, name: "runs drop", action: "drop", done: "dropped", thing: "run", final: true}
	c := &cobra.Command{
		Use:   "drop RUN... | FLAGS | --all | --resume ID",
		Short: "Give up dead runs",
		Long: `Gives up dead runs: they become dropped, and stay so. Their events are not handled again, and the history of their attempts stays.
Runs that wait for a handler that is no longer in the wiring file can be dropped too: by their ids, or with --state running,retrying.

Flags select dead runs, unless --state says otherwise. They are counted and the first ones shown, and on a terminal you are asked. --all
needs a terminal or --yes. It can be interrupted at any time: --resume continues it.`,
		Example: `  evrun runs drop 42-save-user
  evrun runs drop --handler old-name --state dead,running,retrying
  evrun runs drop --all --yes`,
		ValidArgsFunction: e.completeRuns(control.Droppable...),
		RunE: func(c *cobra.Command, ids []string) error {
			byFlags, err := o.chosen(ids, o.CheckRuns)
			switch {
			case err != nil:
				return err
			case byFlags:
				return o.run(c.Context())
			}
			return runRunsDrop(c.Context(), o, ids)
		},
	}
	o.runFlags(e, c, control.Droppable...)
	o.actFlags(c)
	return c
}

func runRunsDrop(ctx context.Context, o *selected, ids []string) error {
	_, err := o.runsByID(ctx, ids, func(c *client.Client, id string) (any, error) {
		run, err := c.DropRun(ctx, id)
		return map[string]string{"dropped": run.ID}, err
	})
	return err
}
