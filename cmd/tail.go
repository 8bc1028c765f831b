package cmd

import (
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/follow"
	"evrun/tasks/search"
)

func newTailCmd(e *cli.Env) *cobra.Command {
	var o follow.Options
	c := &cobra.Command{
		Use:   "tail [PATTERN...]",
		Short: "Follow events, and runs, as they happen",
		Long: `Prints the last events and follows those that come, each once and in order, of the types that match a pattern (user.*,
order.>). It goes on where it was when the daemon restarts, and reads the store when none runs. Events never have a gap; runs
can, and then it says so ({"gap":…} with -o json).

With --runs it prints runs too, each time that they change. --state and --handler select runs: with one of them alone, only runs are
printed; with --runs, events too. --where is an expression on event and data, and selects events and the runs on them alike; one that
names run (run.state, run.attempt, run.error, run.handler, run.id) selects runs alone.`,
		Example: `  evrun tail
  evrun tail 'user.*' --runs
  evrun tail --state dead,retrying
  evrun tail --runs --where 'data.total > 100'
  evrun tail --since 1d --where 'data.email endsWith "@example.com"' -o json | jq .event.data`,
		ValidArgsFunction: e.CompleteTypes,
		RunE: func(c *cobra.Command, args []string) error {
			o.Patterns = append(o.Patterns, args...)
			return follow.Run(c.Context(), e, o)
		},
	}
	f := c.Flags()
	f.IntVarP(&o.Last, "limit", "n", 10, "begin with the last so many events")
	cli.RenamedFlag(c, "last", "limit")
	f.StringSliceVar(&o.Patterns, "type", nil, "only these types or patterns, as the arguments")
	f.StringVar(&o.Since, "since", "", "begin with the events accepted since then: 10m, 2h, 1d (ago), yesterday, 2026-11-25, 2026-11-25T10:00")
	f.BoolVar(&o.NoFollow, "no-follow", false, "print what is stored, and end")
	f.BoolVar(&o.Runs, "runs", false, "runs too, as they change")
	f.StringVar(&o.Source, "source", "", "only events of this source, and their runs")
	f.StringVar(&o.Handler, "handler", "", "only runs of this handler")
	f.StringSliceVar(&o.States, "state", nil, "only runs that come into these states: "+strings.Join(search.StateNames(), ", "))
	f.StringVar(&o.Where, "where", "", "only those for which this expression is true, such as 'data.total > 100'")
	_ = c.RegisterFlagCompletionFunc("type", e.CompleteTypes) // an error means that the flag does not exist
	_ = c.RegisterFlagCompletionFunc("handler", e.CompleteHandlers())
	cli.CompleteFlag(c, "state", search.StateNames()...)
	return c
}
