package cli

import (
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/input"
	"evrun/tasks/schedule/slots"
)

// NoArgs is cobra.NoArgs with a usage error of evrun.
func NoArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usage("%s takes no arguments, and got %q", c.CommandPath(), args[0])
	}
	return nil
}

// RenamedFlag keeps the name that a flag had before.
func RenamedFlag(c *cobra.Command, before, now string) {
	old := *c.Flags().Lookup(now)
	old.Name, old.Shorthand, old.Hidden = before, "", true
	c.Flags().AddFlag(&old)
}

// FileArg takes the wiring file as an argument, in place of --config.
func (e *Env) FileArg(c *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return Usage("%s takes one wiring file, not %d arguments", c.CommandPath(), len(args))
	case len(args) == 1 && c.Flags().Changed("config"):
		return Usage("%s takes the wiring file as an argument or with --config, not both", c.CommandPath())
	case len(args) == 1:
		e.Config = args[0]
	}
	return nil
}

// NamesOf checks that the arguments are names of things: at least one, and at most so many (0: any number). The list beside the command shows them.
func NamesOf(thing string, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 || most > 0 && len(args) > most {
			return Usage("%s takes the name of a %s (%s list shows them)", c.CommandPath(), thing, c.Parent().CommandPath())
		}
		return nil
	}
}

// WaitFlag adds --wait, for how long a command follows what its event causes.
func WaitFlag(c *cobra.Command, wait *time.Duration) {
	c.Flags().DurationVar(wait, "wait", 0, "follow what it causes, for at most so long")
	c.Flags().Lookup("wait").NoOptDefVal = "30s"
}

// CheckWait refuses a --wait that is not above zero.
func CheckWait(c *cobra.Command, wait time.Duration) error {
	if c.Flags().Changed("wait") && wait <= 0 {
		return Usage("--wait %v: a duration above zero, such as --wait=30s", wait)
	}
	return nil
}

// ZoneFlag adds --tz, the zone of printed times.
func ZoneFlag(c *cobra.Command, tz *string) {
	c.Flags().StringVar(tz, "tz", "", "print times in this zone, such as Europe/Paris (default: each schedule's own)")
	_ = c.RegisterFlagCompletionFunc("tz", completeZones) // an error means that the flag does not exist
}

// LoadZone returns the zone that --tz names; nil: none.
func LoadZone(name string) (*time.Location, error) {
	if name == "" {
		return nil, nil
	}
	zone, err := slots.LoadZone(name)
	if err != nil {
		return nil, Usage("--tz: %v", err)
	}
	return zone, nil
}

// ParseTime reads the time of a flag: see [input.ParseTime].
func ParseTime(flag, text string, zone *time.Location, now time.Time) (time.Time, error) {
	t, ok := input.ParseTime(text, zone, now)
	if !ok {
		return t, Usage("%s %q: %s", flag, text, input.HowTimes)
	}
	return t, nil
}

// LimitFlag adds --limit, the number of rows of a list.
func LimitFlag(c *cobra.Command, limit *int, usual int) {
	c.Flags().IntVarP(limit, "limit", "n", usual, "at most so many; 0: all")
}

// CheckLimit refuses a limit below 0.
func CheckLimit(limit int) error {
	if limit < 0 {
		return Usage("--limit %d: not below 0", limit)
	}
	return nil
}
