package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
	"evrun/tasks/fault"
)

// Access says what a command needs where no daemon answers it: a server of the API then runs in this process, see [Env.InProcess].
type Access struct {
	wiring    bool // handlers, schedules and event types: the wiring file is read whole
	storeless bool // nothing of the store
	write     bool // the store is opened for writing
	create    bool // a store that does not exist yet is made
	absent    bool // a store that does not exist yet counts as one that has nothing
	follow    bool // what daemons elsewhere do is followed, if they share the store
	Again     bool // asking a daemon again is safe, so a broken connection is not the end
}

// What commands need.
var (
	ReadsStore      = Access{}
	ReadsWiring     = Access{wiring: true, absent: true}
	ReadsWiredStore = Access{wiring: true}
	WiringAlone     = Access{wiring: true, storeless: true}
	Publishes       = Access{wiring: true, write: true, create: true}
	ListsTokens     = Access{absent: true}
	ChangesTokens   = Access{write: true, create: true}
	ChangesRuns     = Access{write: true}
	CancelsRuns     = Access{write: true, follow: true}
	FollowsStore    = Access{follow: true}
	Replays         = Access{wiring: true, write: true}
	Prunes          = Access{write: true, Again: true}
	ImportsUsers    = Access{write: true, create: true}
	ChangesPlace    = Access{wiring: true, write: true, absent: true} // of handlers, in the journal
)

// keepAsking is how long a command goes on trying while the daemon starts or stops.
const keepAsking = 10 * time.Second

// Ask calls do with a client of the daemon, or, where none runs, with one that is answered in this process (alone is true then). do may be
// called several times: a daemon that starts or stops has the store, but not yet or no longer the socket.
func (e *Env) Ask(ctx context.Context, cfg *config.Config, a Access, do func(*client.Client) error) (alone bool, err error) {
	c := ClientOf(cfg)
	if a.write {
		if c, err = e.Client(cfg); err != nil {
			return false, err
		}
	}
	deadline := time.Now().Add(keepAsking)
	for {
		err = do(c)
		alone = errors.Is(err, api.ErrNoDaemon)
		again := a.Again && broken(ctx, err)
		if alone {
			err = e.InProcess(ctx, cfg, a, do)
			again = errors.Is(err, store.ErrLocked)
		}
		if !again || time.Now().After(deadline) {
			return alone, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return alone, ctx.Err()
		}
	}
}

// Asked is [Env.Ask] for one answer.
func Asked[T any](ctx context.Context, e *Env, a Access, get func(*client.Client) (T, error)) (answer T, err error) {
	cfg, err := e.Settings()
	if err != nil {
		return answer, err
	}
	_, err = e.Ask(ctx, cfg, a, func(c *client.Client) (err error) {
		answer, err = get(c)
		return err
	})
	return answer, err
}

// broken reports whether the connection broke before the daemon's answer.
func broken(ctx context.Context, err error) bool {
	var p *api.Problem
	var refused *client.ConnectError
	return err != nil && !errors.As(err, &p) && !errors.As(err, &refused) && ctx.Err() == nil
}

// Each calls do for one after the other. It goes on where the daemon, or the store, refuses one of them, and fails at the end.
func (e *Env) Each(things string, names []string, do func(name string) error) error {
	failed := false
	for _, name := range names {
		switch err := do(name); {
		case IsAboutOne(err):
			failed = true
			e.LeftOne(err)
		case err != nil:
			return err
		}
	}
	if failed {
		return SomeLeft(things)
	}
	return nil
}

// LeftOne prints why one thing was left as it is. The command goes on, and fails at its end with [SomeLeft].
func (e *Env) LeftOne(err error) {
	fmt.Fprintf(e.Err, "evrun: %s\n", events.EscapeControl(err.Error()))
}

// SomeLeft is the error of a command that has printed with [Env.LeftOne] what it left.
func SomeLeft(things string) error {
	return &ExitError{Code: ExitFailed, Err: fmt.Errorf("some %s were left as they are", things), Silent: true}
}

// IsAboutOne reports whether an error concerns only the thing that was asked for: it does not exist, or is not in the state for it.
func IsAboutOne(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && (p.Status == http.StatusNotFound || p.Status == http.StatusConflict)
}

// IsNotFound reports whether what was asked for does not exist.
func IsNotFound(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// Look calls do with a client that the store answers in this process, whether or not a daemon runs: a list is read although the daemon is
// busy, stopping, or another user's.
func (e *Env) Look(ctx context.Context, do func(*client.Client) error) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	return e.InProcess(ctx, cfg, ReadsStore, do)
}

// liveWithin is how long a daemon may take to say that it can be asked.
const liveWithin = 2 * time.Second

// Live is [Env.Look] for what changes while it is read: it asks the daemon, which knows more of what runs and waits than its store. Where none can be asked,
// the store answers.
func (e *Env) Live(ctx context.Context, do func(*client.Client) error) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	c := ClientOf(cfg)
	asked, cancel := context.WithTimeout(ctx, liveWithin)
	defer cancel()
	if c.Ping(asked) == nil {
		return do(c)
	}
	return e.InProcess(ctx, cfg, ReadsStore, do)
}

// Handlers lists the handlers as the daemon has them, or as the wiring file and the store do.
func (e *Env) Handlers(ctx context.Context) ([]control.HandlerStatus, error) {
	return Asked(ctx, e, ReadsWiring, func(c *client.Client) ([]control.HandlerStatus, error) { return c.Handlers(ctx) })
}

// Schedules lists the schedules, each with its next n slots, as the daemon has them, or as the wiring file and the store do.
func (e *Env) Schedules(ctx context.Context, n int) ([]api.Schedule, error) {
	return Asked(ctx, e, ReadsWiring, func(c *client.Client) ([]api.Schedule, error) { return c.Schedules(ctx, n) })
}

// Named returns the things (schedules, handlers) with these names; no names: all.
func Named[S any](thing string, all []S, nameOf func(S) string, names []string) ([]S, error) {
	if len(names) == 0 {
		return all, nil
	}
	known := make([]string, len(all))
	for i, s := range all {
		known[i] = nameOf(s)
	}
	var chosen []S
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			hint := fault.DidYouMean(name, known)
			if hint != "" {
				hint = "; " + hint
			}
			return nil, fmt.Errorf("there is no %s %q%s", thing, name, hint)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// EventAt is the event with a sequence, or nil.
func EventAt(ctx context.Context, c *client.Client, sequence int64) (*events.Event, error) {
	ev, err := c.Event(ctx, "#"+strconv.FormatInt(sequence, 10))
	if IsNotFound(err) {
		return nil, nil
	}
	return ev, err
}
