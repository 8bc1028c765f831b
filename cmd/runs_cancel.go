package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/store"
	"evrun/tasks/control"
)

func newRunsCancelCmd(e *cli.Env) *cobra.Command {
	wait := 30 * time.Second
	o := &cli.Batch{Env: e, Name: "runs cancel", Action: "cancel", Done: "cancelled", Thing: "run", Final: true}
	c := &cobra.Command{
		Use:   "cancel RUN... | FLAGS | --all | --resume ID",
		Short: "End runs that are not over",
		Long: `Ends runs that are not over. A running attempt is stopped: a command and its children get SIGTERM, and SIGKILL after their grace
period, a request is aborted. A run that waits, for its first attempt or the next one, ends at once, and never begins. What waits
behind it goes on.

A cancelled run is over: it is not tried again, on_dead and evrun.run.dead don't report it, and it emits nothing. "evrun runs retry"
makes it due again. An attempt that succeeds before it is stopped has succeeded; so has a write to evrun's own database that was
already on its way. For "evrun emit --wait", a cancelled run is over, and not a success (exit 1).

The command waits until the runs are over, for --wait at most. Then it says so, with exit 124: they are cancelled when their
attempts end. Without a daemon, runs that a kill has interrupted are cancelled at once.

Flags select running, retrying and waiting runs, unless --state says otherwise. They are counted and the first ones shown, and on a
terminal you are asked; then they are cancelled as one batch, which does not wait for the ends of running attempts. It can be
interrupted at any time: --resume continues it. Runs on events that are accepted meanwhile are not cancelled.`,
		Example: `  evrun runs cancel 42-backup
  evrun runs cancel 42-backup 43-backup --reason "the disk is full"
  evrun runs cancel --handler mail --where 'data.campaign == "spring"' --reason "wrong text"`,
		ValidArgsFunction: e.CompleteRuns(store.Running, store.Retrying),
		RunE: func(c *cobra.Command, ids []string) error {
			byFlags, err := o.Chosen(ids, o.CheckRuns)
			switch {
			case err != nil:
				return err
			case wait < 0 || wait > api.MaxCancelWait:
				return cli.Usage("--wait %v: must be 10m at most", wait)
			case byFlags && c.Flags().Changed("wait"):
				return cli.Usage("--wait goes with the ids of runs")
			case byFlags:
				return o.Run(c.Context())
			}
			return runRunsCancel(c.Context(), e, ids, o.Reason, wait)
		},
	}
	o.AddRunFlags(e, c, control.Cancellable...)
	o.AddBatchFlags(c)
	c.Flags().StringVar(&o.Reason, "reason", "", "why, in your words: the run's reason and the audit trail have it")
	c.Flags().DurationVar(&wait, "wait", wait, "how long to wait for the ends of running attempts")
	return c
}

func runRunsCancel(ctx context.Context, e *cli.Env, ids []string, reason string, wait time.Duration) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(wait)
	cancel := func(id string, wait time.Duration) (run api.Run, err error) {
		how := cli.ChangesRuns
		if wait > 0 {
			how = cli.CancelsRuns
		}
		_, err = e.Ask(ctx, cfg, how, func(c *client.Client) (err error) {
			run, err = c.CancelRun(ctx, id, reason, wait)
			return err
		})
		return run, err
	}
	var ending []string
	late := false
	err = e.Each("runs", ids, func(id string) error { // all of them first, and then the waiting
		run, err := cancel(id, 0)
		if err != nil {
			return err
		}
		if run.State == store.Running.String() {
			if late = wait == 0; !late {
				ending = append(ending, run.ID)
				return nil
			}
		}
		return printCancelled(e, run)
	})
	var some *cli.ExitError
	if err != nil && (!errors.As(err, &some) || !some.Silent) {
		return err
	}
	ended := e.Each("runs", ending, func(id string) error {
		run, err := cancel(id, max(time.Millisecond, time.Until(deadline)))
		if err != nil {
			return err
		}
		late = late || run.State == store.Running.String()
		return printCancelled(e, run)
	})
	switch {
	case ended != nil:
		return ended
	case late:
		return &cli.ExitError{Code: cli.ExitTimeout, Err: fmt.Errorf("not all attempts have ended within %v; their runs are cancelled when they do", wait)}
	}
	return err
}

// printCancelled prints what became of a run. The error says that it was over.
func printCancelled(e *cli.Env, run api.Run) error {
	words := "%s is cancelled\n"
	switch run.State {
	case store.Cancelled.String():
	case store.Running.String():
		words = "%s is being cancelled: its attempt still runs\n"
	default:
		return &api.Problem{Status: http.StatusConflict, Detail: fmt.Sprintf("run %s is %s: it was over before it could be cancelled", run.ID, run.State)}
	}
	if e.JSON() {
		return e.PrintJSON(run)
	}
	_, err := fmt.Fprintf(e.Out, words, run.ID)
	return err
}
