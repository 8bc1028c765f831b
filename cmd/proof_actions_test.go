package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// tally is an inside handler whose effect leaves a row each time: a user with a random address, so that no unique key hides a repetition. The user's
// name is the handler's, and its event_id the event's.
type tally struct {
	fails func(d *tasks.Delivery) error // nil: never
}

func (a tally) Prepare(d *tasks.Delivery) (tasks.Effect, error) {
	user := &store.User{Name: d.Handler, Email: uuid.NewString() + "@example.com", EventID: d.Event.ID}
	return tasks.Effect{User: user, Stored: func(_ store.User, err error) (any, error) {
		if a.fails != nil {
			if err := a.fails(d); err != nil {
				return nil, err
			}
		}
		return nil, err
	}}, nil
}

// act is an outside handler whose effect survives the daemon: a line with the run and its attempt in a file.
type act struct {
	file  *os.File
	fails func(d *tasks.Delivery) error // after it has acted; nil: never
	// around is called before and after the effect; nil: not at all.
	around func(d *tasks.Delivery, point string)
}

func newAct(dir string) *act {
	if elsewhere := os.Getenv(proofEffects); elsewhere != "" {
		dir = elsewhere
	}
	f, err := os.OpenFile(filepath.Join(dir, effectsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return &act{file: f}
}

func (a *act) Do(_ context.Context, d *tasks.Delivery) (any, error) {
	if a.around != nil {
		a.around(d, "attempt recorded")
	}
	if _, err := fmt.Fprintf(a.file, "%s %d\n", d.RunID, d.Attempt); err != nil {
		return nil, err
	}
	if a.around != nil {
		a.around(d, "action done")
	}
	if a.fails != nil {
		return nil, a.fails(d)
	}
	return nil, nil
}

// sometimes fails the first attempt on every fourth event, and every attempt on every sixteenth.
func sometimes(d *tasks.Delivery) error {
	h := fnv.New32a()
	h.Write([]byte(d.Event.ID))
	switch n := h.Sum32() % 16; {
	case n == 0:
		return errors.New("this event always fails")
	case n%4 == 1 && d.Attempt == 1:
		return errors.New("this event fails at first")
	}
	return nil
}

func only(types ...string) []events.Pattern {
	patterns := make([]events.Pattern, len(types))
	for i, typ := range types {
		patterns[i] = events.MustPattern(typ)
	}
	return patterns
}

// soon is a retry policy with n attempts and short delays.
func soon(n int) tasks.Retry {
	return tasks.Retry{Attempts: n, Backoff: time.Millisecond, Max: 10 * time.Millisecond}
}
