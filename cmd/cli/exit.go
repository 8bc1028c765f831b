package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/daemon/sockets"
	"evrun/cmd/stopping"
	"evrun/events"
	"evrun/store"
	"evrun/store/files"
	"evrun/tasks/emitter"
	"evrun/tasks/schema"
)

// The exit codes other than 0: see [ExitCodes].
const (
	ExitFailed      = 1
	ExitUsage       = 2
	ExitRefused     = 3
	ExitNoHandler   = 4
	ExitNoDaemon    = 69
	ExitTryAgain    = 75
	ExitConfig      = 78
	ExitTimeout     = 124
	ExitInterrupted = 130
)

// ExitCode is an exit code and what it means.
type ExitCode struct {
	Code int
	Doc  string
}

// ExitCodes are all of them, as the help of the root command and the reference list them.
var ExitCodes = []ExitCode{
	{0, "done"},
	{ExitFailed, "it failed, wholly or in part (with --wait: a run is dead or cancelled)"},
	{ExitUsage, "usage"},
	{ExitRefused, "some lines were refused"},
	{ExitNoHandler, "no handler matched (with --wait, --dry-run, and explain)"},
	{ExitNoDaemon, "no daemon reachable"},
	{ExitTryAgain, "the daemon or its database can't take it now (try again)"},
	{ExitConfig, "the wiring file is wrong, or the database that it names does not let evrun in"},
	{ExitTimeout, "--wait ran out of time"},
	{ExitInterrupted, "interrupted"},
}

// ExitError is an error with its own exit code. A silent one was printed already.
type ExitError struct {
	Code   int
	Err    error
	Silent bool
}

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

// Usage is an error about the command line.
func Usage(format string, args ...any) error {
	return &ExitError{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// Exit prints the error of the command c for people and returns the exit code for programs: the only place that knows both.
func (e *Env) Exit(ctx context.Context, c *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	code := e.Code(ctx, err)
	var ex *ExitError
	var faults *config.Errors
	switch {
	case code == 0 || code == ExitInterrupted || errors.As(err, &ex) && ex.Silent:
	case errors.As(err, &faults):
		fmt.Fprint(e.Err, faults.Pretty(e.Colored(e.Err)))
	default:
		msg, violations := inWords(err)
		text := events.EscapeControl(msg)
		fmt.Fprintf(e.Err, "%s\n%s", e.wrapped("evrun: "+text, ""), violations)
		if hint := hintFor(err); hint != "" && !strings.Contains(text, hint) {
			fmt.Fprintln(e.Err, e.wrapped("  hint: "+hint, "  "))
		}
		if code == ExitUsage && !e.started {
			fmt.Fprintf(e.Err, "  hint: \"%s --help\" says how to use it\n", c.CommandPath())
		}
	}
	return code
}

func (e *Env) Code(ctx context.Context, err error) int {
	var ex *ExitError
	var faults *config.Errors
	var p *api.Problem
	var refused *emitter.RefusedError
	var unreachable *client.ConnectError
	var listening *sockets.Error
	var opening *store.OpenError
	switch {
	case errors.As(err, &ex):
		return ex.Code
	case !e.started:
		return ExitUsage
	case brokenPipe(err):
		return 0 // the reader has read all that it wants
	case errors.Is(context.Cause(ctx), stopping.ErrInterrupted) && errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &faults), errors.As(err, &listening) && listening.File, errors.As(err, &opening) && !opening.Passes:
		return ExitConfig
	case errors.As(err, &refused):
		return ExitUsage
	case errors.Is(err, api.ErrNoDaemon), errors.As(err, &unreachable):
		return ExitNoDaemon
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrLocked):
		return ExitTryAgain
	case errors.Is(err, store.ErrBroken): // of a store in this process: no daemon will start again and have it back
		return ExitFailed
	case errors.As(err, &p):
		switch p.Status {
		case http.StatusServiceUnavailable, http.StatusInsufficientStorage, http.StatusTooManyRequests:
			return ExitTryAgain
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return ExitUsage
		}
	}
	return ExitFailed
}

// inWords returns an error for people: the message, and a line for each violation of a schema.
func inWords(err error) (msg, violations string) {
	list, more, headline := violationsOf(err)
	if len(list) == 0 {
		return err.Error(), ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, v := range list {
		pointer := v.Pointer
		if pointer == "" {
			pointer = "(all of it)"
		}
		fmt.Fprintf(w, "  %s\t%s\n", events.EscapeControl(pointer), events.EscapeControl(v.Message))
	}
	_ = w.Flush() // a strings.Builder takes all
	if more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	return headline, b.String()
}

// violationsOf returns the violations of a schema for which an event was refused, here or by the daemon; none for any other error.
func violationsOf(err error) (list []schema.Violation, more int, headline string) {
	var p *api.Problem
	var refused *emitter.RefusedError
	switch {
	case errors.As(err, &refused):
		return refused.Violations, refused.More, refused.Msg
	case errors.As(err, &p):
		return p.Violations, p.More, p.Detail
	}
	return nil, 0, ""
}

// hintFor returns what a user can do about an error; empty: nothing is known.
func hintFor(err error) string {
	var p *api.Problem
	var untrusted *files.Error
	var listening *sockets.Error
	var unreachable *client.ConnectError
	var opening *store.OpenError
	switch {
	case errors.As(err, &opening):
		return opening.Hint
	case errors.As(err, &unreachable):
		return unreachable.Hint
	case errors.As(err, &untrusted):
		return untrusted.Hint
	case errors.As(err, &listening):
		return listening.Hint
	case errors.Is(err, api.ErrNoDaemon):
		return `start it with "evrun serve"`
	case errors.Is(err, store.ErrLocked):
		return "one daemon at a time can use a store: stop the other one, or name another store"
	case errors.Is(err, store.ErrNewer):
		return "use the evrun that wrote it, or a newer one, or name another file as the store"
	case errors.Is(err, store.ErrNotStore):
		return "name another file as the store; evrun makes a new one where there is none"
	case errors.Is(err, store.ErrReadOnly):
		return "evrun must be able to write the file and its directory"
	case errors.Is(err, store.ErrBroken):
		return "check the disk (the system's log may tell more), then start evrun again: nothing that was acknowledged is lost"
	case errors.Is(err, store.ErrReplaced):
		return "see who removes files there, put the store back if need be, and start evrun again"
	case errors.Is(err, store.ErrFull), errors.As(err, &p) && p.Status == http.StatusInsufficientStorage:
		return "make room on the disk, or end what reads the store for so long, and try again"
	}
	return ""
}

// Refused returns err. With -o json it also prints the violations of a refused event as an object on stdout.
func (e *Env) Refused(err error) error {
	list, more, headline := violationsOf(err)
	if len(list) == 0 || !e.JSON() {
		return err
	}
	what := map[string]any{"detail": headline, "violations": list}
	if more > 0 {
		what["more_violations"] = more
	}
	return errors.Join(err, e.PrintJSON(map[string]any{"refused": what}))
}
