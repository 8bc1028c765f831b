package cmd

import (
	"time"

	"github.com/spf13/cobra"

	"evrun/tasks/schedule/slots"
)

// noArgs is cobra.NoArgs with a usage error of evrun.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments, and got %q", c.CommandPath(), args[0])
	}
	return nil
}

// namesOf checks that the arguments are names of things: at least one, and at most so many (0: any number).
func namesOf(thing string, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 || most > 0 && len(args) > most {
			return usage("%s takes the name of a %s (evrun %ss list shows them)", c.CommandPath(), thing, thing)
		}
		return nil
	}
}

// waitFlag adds --wait, for how long a command follows what its event causes.
func waitFlag(c *cobra.Command, wait *time.Duration) {
	c.Flags().DurationVar(wait, "wait", 0, "follow what it causes, for at most so long")
	c.Flags().Lookup("wait").NoOptDefVal = "30s"
}

// checkWait refuses a --wait that is not above zero.
func checkWait(c *cobra.Command, wait time.Duration) error {
	if c.Flags().Changed("wait") && wait <= 0 {
		return usage("--wait %v: a duration above zero, such as --wait=30s", wait)
	}
	return nil
}

// zoneFlag adds --tz, the zone of printed times.
func zoneFlag(c *cobra.Command, tz *string) {
	c.Flags().StringVar(tz, "tz", "", "print times in this zone, such as Europe/Paris (default: each schedule's own)")
}

// loadZone returns the zone that --tz names; nil: none.
func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return nil, nil
	}
	zone, err := slots.LoadZone(name)
	if err != nil {
		return nil, usage("--tz: %v", err)
	}
	return zone, nil
}
