package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/cli"
	"evrun/events"
	"evrun/tasks/fault"
)

func newEraseCmd(e *cli.Env) *cobra.Command {
	o := &cli.Batch{Env: e, Name: "erase", Action: "erase", Done: "erased", Thing: "event", Careful: "this can't be undone",
		Left:  "left alone: a run on them, or on what they caused, has not ended (evrun runs cancel ends it)",
		Again: "the same command does the rest; what was erased stays so",
		More: func(seen api.BatchPreview) {
			if seen.More > 0 {
				e.Note("the copies of their data in %s, which they caused, go too", fault.Plural(seen.More, "more event"))
			}
		}}
	subject := ""
	c := &cobra.Command{
		Use:   "erase --subject S | --where EXPR | FLAGS",
		Short: "Erase a person's data from events, runs and users",
		Long: `Erases the data of the events that the flags select, and of everything that they caused: the events that their runs published, their replays and
edited copies. Of an event go its data, subject, extensions, correlationid and causationid; of its runs the errors, the reasons and what was printed. Users go that
these events inserted, or whose e-mail address is the subject of one of them. Dead and cancelled runs are dropped, since nothing is left to repeat.

What stays: seq, id, source, type and times, so that the event is still known as accepted, with erasedat. An id or a source that names a person stays, too. What
caused a selected event stays as it is, unless it is selected itself. The data is overwritten in a SQLite file, its unused space and its log; PostgreSQL vacuums
old versions of its rows. Copies elsewhere stay: backups, the archive of a server's log, files of --rejects, tables of your own, what handlers have sent, and text
of earlier conditions in the audit trail. What a run on a burst (debounce with collect: all) printed and published goes with the burst's last event, which has
that run: select that one, too.

An event is left alone while a run on it, or on what carries its data, has not ended or waits for its handler: cancel it, or wait, and erase again. The selection
is counted first, and on a terminal you are asked; elsewhere --yes is needed. It is not stored: the audit trail says who erased how many events, and not
whose. When it is interrupted, the same command does the rest. If --where could not be evaluated for some events that still have their data,
these stay, and the exit code is 1.`,
		Example: `  evrun erase --subject ada@example.com --dry-run
  evrun erase --where 'data.email == "ada@example.com"' --yes`,
		Args: cli.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("subject") {
				is := "event.subject == " + string(events.AppendJSONText(nil, subject))
				if o.Where != "" {
					is = fmt.Sprintf("(%s) && %s", o.Where, is)
				}
				o.Where = is
			}
			if _, err := o.Chosen(nil, o.CheckEvents); err != nil {
				return err
			}
			return o.Run(c.Context())
		},
	}
	o.AddEventFlags(c)
	f := c.Flags()
	f.StringVar(&subject, "subject", "", "only events with this subject")
	f.BoolVar(&o.Everything, "all", false, "all events")
	f.BoolVar(&o.Yes, "yes", false, "don't ask")
	f.BoolVar(&o.DryRun, "dry-run", false, "only show how many are selected, and the first ones")
	f.StringVar(&o.Reason, "reason", "", "why, for the audit trail: a ticket, and not the person")
	return c
}
