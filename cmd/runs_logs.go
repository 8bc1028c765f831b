package cmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/output"
	"evrun/store"
)

type runsLogsOptions struct {
	*cli.Env
	follow  bool
	attempt int
	all     bool
}

func newRunsLogsCmd(e *cli.Env) *cobra.Command {
	o := &runsLogsOptions{Env: e}
	c := &cobra.Command{
		Use:   "logs RUN | HANDLER",
		Short: "Print what a run printed",
		Long: `Prints what the last attempt of a run printed. The name of a handler stands for the run of its newest event. It prints as the program did: its standard output on the standard output, its standard error on the
standard error. Of an http handler it prints the body of the answer, and status and headers on the standard error. A long output has a note
where its middle was left out (output: {keep: …} of the handler says how much is kept). Control characters are escaped.

With -f it goes on while the run runs, and with each further attempt, until the run has ended. Lines arrive when they are complete. It then
exits with 1 if the run has not succeeded.`,
		Example: `  evrun runs logs backup
  evrun runs logs 42-backup
  evrun runs logs 42-backup -f
  evrun runs logs 42-backup --attempt 1 2>errors.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return cli.Usage("runs logs takes one run id, such as 42-save-user, or the name of a handler for its newest run")
			}
			return nil
		},
		ValidArgsFunction: e.CompleteRuns(),
		RunE: func(c *cobra.Command, args []string) error {
			return runRunsLogs(c.Context(), o, args[0], c.Flags().Changed("attempt"))
		},
	}
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until the run has ended")
	f.IntVar(&o.attempt, "attempt", 0, "what this attempt printed (default: the last one)")
	f.BoolVar(&o.all, "all", false, "what all attempts printed, each behind a line on the standard error")
	return c
}

// query asks for what the flags say; attempt reports whether --attempt is given.
func (o *runsLogsOptions) query(attempt bool) (q client.LogQuery, err error) {
	q.Follow = o.follow
	switch {
	case attempt && o.attempt < 1:
		return q, cli.Usage("--attempt %d: attempts are counted from 1", o.attempt)
	case attempt && (o.all || o.follow):
		return q, cli.Usage("--attempt %d prints one attempt: leave out --all and --follow", o.attempt)
	case attempt:
		q.Attempt = strconv.Itoa(o.attempt)
	case o.all:
		q.Attempt = "all"
	}
	return q, nil
}

func runRunsLogs(ctx context.Context, o *runsLogsOptions, id string, attempt bool) error {
	q, err := o.query(attempt)
	if err != nil {
		return err
	}
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	log := output.Log{Printer: o.Printer(), Err: o.Err, Heads: (o.all || o.follow) && !o.Quiet}
	var end *api.Run
	printed := false
	how := cli.ReadsStore
	if o.follow {
		how = cli.FollowsStore
	}
	_, err = o.Ask(ctx, cfg, how, func(c *client.Client) error {
		return c.Logs(ctx, id, q, func(line api.LogLine) error {
			printed = printed || line.Output != nil
			end = line.Run
			return log.Line(line)
		})
	})
	switch {
	case errors.Is(err, api.ErrNoDaemon):
		return &cli.ExitError{Code: cli.ExitNoDaemon, Err: fmt.Errorf("run %s has not ended, and no daemon is running that could go on with it; without -f, what is stored is printed", id)}
	case err != nil:
		return err
	}
	if !o.JSON() && !ownID(id, end.ID) {
		o.Note("this is run %s, the newest of %s", end.ID, id)
	}
	if !printed && !o.JSON() {
		o.Note("%s", nothingPrinted(end))
	}
	if !o.follow {
		return nil
	}
	if !o.JSON() {
		o.Note("run %s: %s", end.ID, end.State)
	}
	if end.State != store.Succeeded.String() && end.State != store.Skipped.String() {
		return &cli.ExitError{Code: cli.ExitFailed, Err: fmt.Errorf("run %s is %s", end.ID, end.State), Silent: true}
	}
	return nil
}

// ownID reports whether a name is that of a run, not of its handler: it begins with the seq of the event.
func ownID(name, id string) bool {
	sequence, _, _ := strings.Cut(id, "-")
	rest, ok := strings.CutPrefix(strings.TrimPrefix(name, "#"), sequence)
	return ok && (rest == "" || rest[0] == '-')
}

// nothingPrinted says why nothing is printed.
func nothingPrinted(r *api.Run) string {
	switch r.State {
	case store.Skipped.String():
		return "the run was skipped: it printed nothing"
	case store.Running.String():
		return "its attempt has printed nothing yet"
	case store.Waiting.String():
		return "the run has not begun"
	}
	return "nothing is kept that it printed"
}
