package cli

import (
	"errors"
	"fmt"
	"testing"

	"evrun/store"
)

// A server that is away may be back later; one that does not let evrun in won't, until somebody changes something.
func TestExitsForDatabases(t *testing.T) {
	e := &Env{started: true}
	for _, c := range []struct {
		err  *store.OpenError
		want int
	}{
		{&store.OpenError{Err: errors.New("connection refused"), Passes: true}, ExitTryAgain},
		{&store.OpenError{Err: errors.New("wrong password")}, ExitConfig},
	} {
		if code := e.Code(t.Context(), fmt.Errorf("open: %w", c.err)); code != c.want {
			t.Errorf("%v: %d", c.err, code)
		}
	}
}
