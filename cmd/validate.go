package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/drivers"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/control"
	"evrun/tasks/fault"
)

func newValidateCmd(e *cli.Env) *cobra.Command {
	strict := false
	c := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check the wiring file, and report all errors",
		Example: `  evrun validate
  evrun validate new.yaml --strict -o json`,
		Long: `Checks the whole wiring file and the files that it includes, and reports all errors at once, each with file, line and column. It
opens no store. Exit 78 when there is an error.

Without errors it warns of probable mistakes: a type that is not final and no handler is wired to; a handler that nothing
known reaches (where the file declares its types); events that cause each other without an end; a command without a timeout;
a condition that is always or never true. With --strict these are errors.

If a daemon runs, the command compares: handlers that the file would remove while events or runs wait for them are named on stderr,
with the count, and so are those that would return paused.`,
		Args:              e.FileArg,
		ValidArgsFunction: cli.CompleteFile,
		RunE:              func(c *cobra.Command, _ []string) error { return runValidate(c.Context(), e, strict) },
	}
	c.Flags().BoolVar(&strict, "strict", false, "take warnings for errors")
	return c
}

func runValidate(ctx context.Context, e *cli.Env, strict bool) error {
	cfg, err := e.Load()
	var faults *config.Errors
	if err == nil && strict && len(cfg.Warnings) > 0 {
		faults = &config.Errors{Path: e.Config, Faults: cfg.Warnings}
		for i := range faults.Faults {
			faults.Faults[i].Warning = false
		}
		err = faults
	}
	if errors.As(err, &faults) && e.JSON() {
		if err := printFaults(e, faults.Faults); err != nil {
			return err
		}
		return &cli.ExitError{Code: cli.ExitConfig, Err: err, Silent: true}
	}
	if err != nil {
		return err
	}
	for _, h := range cfg.Wiring.Handlers {
		if h.Disabled {
			e.Note("handler %s is disabled (enabled: false): its events wait", h.Name)
		}
	}
	if at := cfg.Settings.Store; at.Shared() && slices.ContainsFunc(cfg.Wiring.Handlers, func(h *tasks.Handler) bool { return h.Kind == "sql" }) {
		e.Note("the statements of sql handlers are those of %s, as the store is %s", drivers.Dialect(at), at)
	}
	noteLeftBehind(ctx, e, cfg)
	types, schedules, hooks, handlers := len(cfg.Wiring.Events), len(cfg.Wiring.Schedules), len(cfg.Wiring.Hooks), len(cfg.Wiring.Handlers)
	if e.JSON() {
		if err := printFaults(e, cfg.Warnings); err != nil {
			return err
		}
		return e.PrintJSON(map[string]any{"valid": true, "path": cfg.Path, "events": types, "schedules": schedules, "hooks": hooks, "handlers": handlers,
			"warnings": len(cfg.Warnings), "included": len(cfg.Included), "dialect": strings.ToLower(drivers.Dialect(cfg.Settings.Store))})
	}
	if len(cfg.Warnings) > 0 {
		fmt.Fprintln(e.Err, strings.TrimSuffix((&config.Errors{Path: e.Config, Faults: cfg.Warnings}).Pretty(e.Colored(e.Err)), "\n"))
	}
	path := cfg.Path
	if n := len(cfg.Included); n > 0 {
		path += ", with " + fault.Plural(n, "included file") + ","
	}
	paths := ""
	if hooks > 0 {
		paths = fault.Plural(hooks, "hook") + ", "
	}
	_, err = fmt.Fprintf(e.Out, "%s is valid: %s, %s, %s%s, %s\n", path,
		fault.Plural(types, "event type"), fault.Plural(schedules, "schedule"), paths, fault.Plural(handlers, "handler"), fault.Plural(len(cfg.Wiring.Tests), "test"))
	return err
}

// askFor is how long validate waits for the daemon's answer.
const askFor = 3 * time.Second

// noteLeftBehind names the handlers with unfinished work that the daemon would leave or pause with this file. Without a daemon it does nothing.
func noteLeftBehind(ctx context.Context, e *cli.Env, cfg *config.Config) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	// The file may name a socket that the daemon has after its restart.
	running, err := e.Running(func() (*config.Config, error) { return cfg, nil })
	if err != nil {
		return
	}
	list, err := cli.ClientOf(running).Handlers(ctx)
	if err != nil {
		return
	}
	stays, fromMark := map[string]bool{}, map[string]bool{}
	for _, h := range cfg.Wiring.Handlers {
		stays[h.Name], stays[h.Was], fromMark[h.Name] = true, true, h.FromMark
	}
	for _, h := range list {
		u := h.Unfinished()
		if h.Waiting != nil {
			u.Waiting = *h.Waiting // with the events that came after it left
		}
		switch {
		case u.Waiting == 0 && u.Running+u.Retrying == 0:
		case h.State != control.StateLeft && !stays[h.Name]:
			e.Note("handler %s is not in this file and would leave: %s; put it back within an hour, or write \"was: %s\" at the handler that takes over", h.Name, u, h.Name)
		case h.State == control.StateLeft && stays[h.Name] && !fromMark[h.Name] && (h.LeftAt == nil || time.Since(*h.LeftAt) > store.ReturnWithin):
			e.Note("handler %s left over an hour ago and would return paused: %s; write \"from: mark\" to let it go on", h.Name, u)
		}
	}
}

// printFaults prints faults and warnings, one object a line.
func printFaults(e *cli.Env, list []config.Fault) error {
	for _, f := range list {
		if err := e.PrintJSON(map[string]any{"fault": f}); err != nil {
			return err
		}
	}
	return nil
}
