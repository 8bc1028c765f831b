package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/edit"
	"evrun/tasks/control"
)

func newRunsRetryCmd(e *cli.Env) *cobra.Command {
	o := &cli.Batch{Env: e, Name: "runs retry", Action: "retry", Done: "retried", Thing: "run"}
	with := &cli.EditFlags{}
	c := &cobra.Command{
		Use:   "retry RUN... | FLAGS | --all | --resume ID",
		Short: "Make runs due again now",
		Long: `Makes runs due again now: dead and cancelled ones get a new budget of attempts, retrying ones don't wait any longer. A run keeps its
id, which is the idempotency key that its handler gives to others, and the history of its attempts. Without a daemon the runs wait for
"evrun serve".

Flags select dead runs, unless --state says otherwise. They are counted and the first ones shown, and on a terminal you are asked; then
they are retried as one batch, the oldest event first. It can be interrupted at any time: --resume continues it, and no run is retried twice.

With --with, -f or -F a run is sent again with other data: a new event, linked to the run's by replayof and for the run's handler alone, has all of
the new data, or the old data with these fields changed (customer.name=Ada, items.0.price:=5). It must fit the schema of its type now. What changes
is shown first, and on a terminal you are asked; elsewhere --yes is needed. In the same step the old run, which is dead, retrying or cancelled, ends as
dropped, with the number of the new event as its reason: so it is sent again once.`,
		Example: `  evrun runs retry 42-save-user
  evrun runs retry --handler save-user
  evrun runs retry 42-save-user --with data.json
  evrun runs retry --handler save-order --since 2026-11-24 --until 2026-11-25 -f currency=EUR
  evrun runs retry --type 'order.*' --since 1d --where 'run.error contains "refused"' --yes`,
		ValidArgsFunction: e.CompleteRuns(control.Retryable...),
		RunE: func(c *cobra.Command, ids []string) error {
			if with.Given() {
				return edit.Run(c.Context(), o, with, ids)
			}
			byFlags, err := o.Chosen(ids, o.CheckRuns)
			switch {
			case err != nil:
				return err
			case byFlags:
				if err := edit.Continue(c.Context(), o); err != nil {
					return err
				}
				return o.Run(c.Context())
			}
			return runRunsRetry(c.Context(), o, ids)
		},
	}
	o.AddRunFlags(e, c, control.Retryable...)
	o.AddBatchFlags(c)
	with.Register(c)
	return c
}

func runRunsRetry(ctx context.Context, o *cli.Batch, ids []string) error {
	return o.RunsByID(ctx, ids, func(c *client.Client, id string) (any, error) { return c.RetryRun(ctx, id) })
}
