package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"text/tabwriter"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/stopping"
	"evrun/events"
	"evrun/store"
	"evrun/store/files"
	"evrun/tasks/emitter"
	"evrun/tasks/schema"
)

// The exit codes, as the help text of the root command lists them.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNoHandler   = 4
	exitNoDaemon    = 69
	exitTryAgain    = 75
	exitConfig      = 78
	exitTimeout     = 124
	exitInterrupted = 130
)

// exitError is an error with its own exit code. A silent one was printed already.
type exitError struct {
	code   int
	err    error
	silent bool
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// exit prints err for people and returns the exit code for programs: the only place that knows both.
func (e *env) exit(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	code := e.code(ctx, err)
	var ex *exitError
	var faults *config.Errors
	switch {
	case code == 0 || code == exitInterrupted || errors.As(err, &ex) && ex.silent:
	case errors.As(err, &faults):
		fmt.Fprint(e.err, faults.Pretty(e.colored(e.err)))
	default:
		msg, violations := inWords(err)
		text := events.EscapeControl(msg)
		fmt.Fprintf(e.err, "%s\n%s", e.wrapped("evrun: "+text, ""), violations)
		if hint := hintFor(err); hint != "" && !strings.Contains(text, hint) {
			fmt.Fprintln(e.err, e.wrapped("  hint: "+hint, "  "))
		}
		if code == exitUsage && !e.started {
			fmt.Fprintf(e.err, "  hint: \"%s --help\" says how to use it\n", cmp.Or(e.called, "evrun"))
		}
	}
	return code
}

func (e *env) code(ctx context.Context, err error) int {
	var ex *exitError
	var faults *config.Errors
	var p *api.Problem
	var refused *emitter.RefusedError
	var unreachable *client.ConnectError
	switch {
	case errors.As(err, &ex):
		return ex.code
	case !e.started:
		return exitUsage
	case errors.Is(err, syscall.EPIPE):
		return 0 // the reader has read all that it wants
	case errors.Is(context.Cause(ctx), stopping.ErrInterrupted) && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &faults):
		return exitConfig
	case errors.As(err, &refused):
		return exitUsage
	case errors.Is(err, api.ErrNoDaemon), errors.As(err, &unreachable):
		return exitNoDaemon
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrLocked):
		return exitTryAgain
	case errors.Is(err, store.ErrBroken): // of a store in this process: no daemon will start again and have it back
		return exitFailed
	case errors.As(err, &p):
		switch p.Status {
		case http.StatusServiceUnavailable, http.StatusInsufficientStorage, http.StatusTooManyRequests:
			return exitTryAgain
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return exitUsage
		}
	}
	return exitFailed
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
	var unreachable *client.ConnectError
	switch {
	case errors.As(err, &unreachable):
		return unreachable.Hint
	case errors.As(err, &untrusted):
		return untrusted.Hint
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

// refused returns err. With -o json it also prints the violations of a refused event as an object on stdout.
func (e *env) refused(err error) error {
	list, more, headline := violationsOf(err)
	if len(list) == 0 || !e.json() {
		return err
	}
	what := map[string]any{"detail": headline, "violations": list}
	if more > 0 {
		what["more_violations"] = more
	}
	return errors.Join(err, e.printJSON(map[string]any{"refused": what}))
}
