package cmd

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/fault"
)

func newStatusCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the daemon's status",
		Long: `Shows the daemon's status: what it runs, since when, the result of the last reload, and for each handler how far its place in the
journal is behind the newest event (BEHIND; events that it does not run on count, too), its running attempts, the runs that wait for
their next attempt, and the dead ones. Handlers that are paused, and those that have left the file with work to do, are named
("evrun handlers --help" says more). Exit 69 when no daemon runs.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), e) },
	}
}

func runStatus(ctx context.Context, e *env) error {
	cfg, err := e.settings()
	if err != nil {
		return err
	}
	s, err := clientOf(cfg).Status(ctx)
	if err != nil {
		return err
	}
	if e.json() {
		return e.printJSON(map[string]any{"status": s})
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "evrun %s\tpid %d, up %s\n", s.Version, s.PID, age(s.StartedAt))
	fmt.Fprintf(w, "config\t%s, read %s\n", s.Config, s.LoadedAt.Format(time.RFC3339))
	if r := s.Reload; r != nil && r.Error != "" {
		first, more, _ := strings.Cut(r.Error, "\n")
		if more != "" {
			first += " …"
		}
		fmt.Fprintf(w, "reload\trefused at %s: %s\n", r.At.Format(time.RFC3339), events.EscapeControl(first))
	}
	fmt.Fprintf(w, "store\t%s, %s, %s\n", s.Store, humanize.IBytes(uint64(max(0, s.StoreSize))), fault.Plural(int(s.Head), "event"))
	if s.WAL.Held || s.WAL.Full {
		wal := store.WAL{Held: s.WAL.Held, Holders: s.WAL.Holders}
		what := "it can't be given back"
		if s.WAL.Full {
			what = "nothing more is accepted"
		}
		fmt.Fprintf(w, "wal\t%s of %s: %s%s\n", humanize.IBytes(uint64(max(0, s.WAL.Bytes))), humanize.IBytes(uint64(max(0, s.WAL.Max))), what, events.EscapeControl(wal.Reason()))
	}
	fmt.Fprintf(w, "socket\t%s\n", s.Socket)
	_ = w.Flush() // a strings.Builder takes all
	if len(s.Handlers) > 0 {
		fmt.Fprint(w, "\nHANDLER\tBEHIND\tRUNNING\tRETRYING\tDEAD\n")
		for _, h := range s.Handlers {
			name := h.Name
			switch {
			case h.Replacing:
				name += " (left; its running attempts go on)"
			case h.State != tasks.StateActive:
				name += " (" + stateOf(h) + ": " + h.Unfinished().String() + ")"
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", name, h.Behind, h.Running, h.Retrying, h.Dead)
		}
		_ = w.Flush()
	}
	if len(s.Schedules) > 0 {
		b.WriteByte('\n')
		_ = printSchedules(&b, s.Schedules)
	}
	_, err = fmt.Fprint(e.out, b.String())
	return err
}
