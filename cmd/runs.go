package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/output"
)

type runsOptions struct {
	*cli.Env
	cli.SelectionFlags
}

func newRunsCmd(e *cli.Env) *cobra.Command {
	o := &runsOptions{Env: e}
	c := &cobra.Command{
		Use:   "runs",
		Short: "Show what the handlers did and printed; cancel, retry or drop runs",
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List runs, newest event first",
		Long: `Lists runs, newest event first. With --state waiting it lists the events that handlers have yet to handle, and what each waits for: another
run of its key (order_by), a place (concurrency), its turn (rate), the end of its burst (debounce), earlier events, or its handler,
which is paused, disabled, or not in the file. A running daemon is asked, because it knows that; else the store answers.`,
		Example: `  evrun runs list --state dead
  evrun runs list --handler save-user --state running,retrying -n 0 -o json
  evrun runs list --type order.placed --since 1d --where 'run.error contains "refused"'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usage("runs list takes no arguments, and got %q: flags select runs, such as --handler NAME, --state dead or --event 41", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return runRunsList(c.Context(), o) },
	}
	o.AddRunFlags(e, list)
	o.AddPageFlags(list, 100)

	show := &cobra.Command{
		Use:   "show RUN | HANDLER",
		Short: "Show one run, with its event and its attempts and what they printed",
		Long:  `Shows one run, with its event and its attempts and what they printed. The name of a handler stands for the run of its newest event.`,
		Example: `  evrun runs show 42-save-user
  evrun runs show save-user`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return cli.Usage("runs show takes one run id, such as 42-save-user, or the name of a handler for its newest run")
			}
			return nil
		},
		ValidArgsFunction: e.CompleteRuns(),
		RunE:              func(c *cobra.Command, args []string) error { return runRunsShow(c.Context(), e, args[0]) },
	}
	return cli.Group(c, list, show, newRunsLogsCmd(e), newRunsCancelCmd(e), newRunsRetryCmd(e), newRunsDropCmd(e))
}

func runRunsList(ctx context.Context, o *runsOptions) error {
	if err := o.ReadFlags(o.CheckRuns); err != nil {
		return err
	}
	return o.Live(ctx, func(c *client.Client) error {
		found := false
		err := cli.ListPages(o.Env, &o.SelectionFlags, output.Runs(), func(p api.Paging) ([]api.Run, api.PageInfo, error) {
			runs, info, err := c.Runs(ctx, o.Selection, p)
			found = found || len(runs) > 0
			return runs, info, err
		})
		if err != nil || found || o.Handler == "" {
			return err
		}
		if _, err := c.Handler(ctx, o.Handler); cli.IsNotFound(err) {
			o.Note("%v", err)
		}
		return nil
	})
}

func runRunsShow(ctx context.Context, e *cli.Env, id string) error {
	return e.Live(ctx, func(c *client.Client) error {
		r, err := c.Run(ctx, id)
		if err != nil {
			return err
		}
		ev, err := cli.EventAt(ctx, c, r.Sequence)
		if err != nil {
			return err
		}
		return e.Printer().RunDetails(r, ev)
	})
}
