package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/tasks/control"
)

func newRunsDropCmd(e *cli.Env) *cobra.Command {
	o := &cli.Batch{Env: e, Name: "runs drop", Action: "drop", Done: "dropped", Thing: "run", Final: true}
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
		ValidArgsFunction: e.CompleteRuns(control.Droppable...),
		RunE: func(c *cobra.Command, ids []string) error {
			byFlags, err := o.Chosen(ids, o.CheckRuns)
			switch {
			case err != nil:
				return err
			case byFlags:
				return o.Run(c.Context())
			}
			return runRunsDrop(c.Context(), o, ids)
		},
	}
	o.AddRunFlags(e, c, control.Droppable...)
	o.AddBatchFlags(c)
	return c
}

func runRunsDrop(ctx context.Context, o *cli.Batch, ids []string) error {
	return o.RunsByID(ctx, ids, func(c *client.Client, id string) (any, error) {
		run, err := c.DropRun(ctx, id)
		return map[string]string{"dropped": run.ID}, err
	})
}
