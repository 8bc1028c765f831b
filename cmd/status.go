package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"evrun/cmd/output"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/fault"
)

func newStatusCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the daemon's status",
		Example: "  evrun status",
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
	p := e.printer()
	t := p.Table()
	t.Field("evrun "+s.Version, "pid %d, up %s", s.PID, output.Duration(time.Since(s.StartedAt)))
	t.Field("config", "%s, read %s", s.Config, p.Time(s.LoadedAt))
	if r := s.Reload; r != nil && r.Error != "" {
		first, more, _ := strings.Cut(r.Error, "\n")
		if more != "" {
			first += " …"
		}
		t.Field("reload", "refused at %s: %s", p.Time(r.At), first)
	}
	t.Field("store", "%s, %s, %s", s.Store, bytesOf(s.StoreSize), fault.Plural(int(s.Head), "event"))
	if s.WAL.Held || s.WAL.Full {
		wal := store.WAL{Held: s.WAL.Held, Holders: s.WAL.Holders}
		what := "it can't be given back"
		if s.WAL.Full {
			what = "nothing more is accepted"
		}
		t.Field("wal", "%s of %s: %s%s", bytesOf(s.WAL.Bytes), bytesOf(s.WAL.Max), what, wal.Reason())
	}
	t.Field("socket", "%s", s.Socket)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.Handlers) > 0 {
		fmt.Fprintln(e.out)
		t := p.Table("HANDLER", "BEHIND", "RUNNING", "RETRYING", "DEAD")
		for _, h := range s.Handlers {
			name := h.Name
			switch {
			case h.Replacing:
				name += " (left; its running attempts go on)"
			case h.State != control.StateActive:
				name += " (" + output.HandlerState(h) + ": " + h.Unfinished().String() + ")"
			}
			t.Row(name, h.Behind, h.Running, h.Retrying, h.Dead)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(s.Schedules) > 0 {
		fmt.Fprintln(e.out)
		return output.List(p, output.Schedules(), s.Schedules)
	}
	return nil
}

// bytesOf is a size in bytes with its unit.
func bytesOf(n int64) string { return humanize.IBytes(uint64(max(0, n))) }
