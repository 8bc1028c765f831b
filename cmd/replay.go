package cmd

import (
	"github.com/spf13/cobra"
)

type replayOptions struct {
	*env
	selection
	events  []string // seqs or ids
	handler string
	against string
	dryRun  bool
}

func newReplayCmd(e *env) *cobra.Command {
	o := &replayOptions{env: e}
	c := &cobra.Command{
		Use:   "replay --dry-run --against FILE",
		Short: "Compare with a changed wiring file",
		Long: `Compares what the wiring file and another one, FILE, would do with recorded events, without doing it: which handlers would run, skip or fail, with
which inputs, and what they would emit. It reads the newest 1,000 events (-n), or those that the flags select; --handler compares one handler alone. It
needs no daemon, and writes nothing. A handler that has "was" in FILE is compared with the one that it renames. What is made with env() or file()
is [secret] in both, and how often attempts are repeated is not compared. First come the counts of each handler, before and after, then at most three
events of each as examples; -o json prints an object for each difference. Exit 0 if nothing differs, 1 if something does, 78 if a file is wrong.`,
		Example: `  evrun replay --dry-run --against new.yaml
  evrun replay --dry-run --against new.yaml --type 'order.>' --since 7d -n 0 -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.events = args; o.against == "" {
				return usage("say which file to compare with: --against FILE")
			}
			return runReplayAgainst(c.Context(), o)
		},
	}
	o.eventFlags(c)
	limitFlag(c, &o.limit, comparedByDefault)
	f := c.Flags()
	f.StringVar(&o.handler, "handler", "", "the handler")
	f.StringVar(&o.against, "against", "", "with --dry-run: compare with this wiring file")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show")
	return c
}
