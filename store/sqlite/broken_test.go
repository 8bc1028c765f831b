package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
)

// A COMMIT that fails may have reached the disk: the caller and Run get that error, and no later write is acknowledged.
func TestAfterAFailedCommitTheStoreAcknowledgesNothing(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()                                                                                  // it repeats the error of the statement
	if s.w.stmt.commit, err = s.w.conn.Prepare(`SELECT abs(-9223372036854775807 - 1)`); err != nil { // it fails as it runs
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	if _, err := s.Append(t.Context(), []*events.Event{{ID: "1", Source: "/t", Type: "a"}}); !errors.Is(err, store.ErrBroken) {
		t.Errorf("the write: %v", err)
	}
	if err := <-ended; !errors.Is(err, store.ErrBroken) {
		t.Errorf("Run: %v", err)
	}
	if _, err := s.Append(t.Context(), []*events.Event{{ID: "2", Source: "/t", Type: "a"}}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("the next write: %v", err)
	}
}

// Proofs crash at the points. Each transaction reaches all of them, in order.
func TestATransactionMeetsItsPoints(t *testing.T) {
	var met []string
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{
		At:      func(p Point) { met = append(met, string(p)) },
		Options: store.Options{OnCommit: func(store.Commit) { met = append(met, "published") }},
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	if _, err := s.Append(t.Context(), []*events.Event{{ID: "1", Source: "/t", Type: "a"}}); err != nil {
		t.Fatal(err)
	}
	if want := []string{string(BeforeBegin), string(BeforeCommit), string(AfterCommit), "published", string(BeforeAnswers)}; !slices.Equal(met, want) {
		t.Errorf("%q, want %q", met, want)
	}
}

func TestAnErrorOfOpenNamesTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "evrun.db")
	for name, open := range map[string]func() (*Store, error){
		"Open":       func() (*Store, error) { return Open(path, Options{}) },
		"OpenReader": func() (*Store, error) { return OpenReader(path) },
	} {
		if _, err := open(); err == nil || !strings.HasPrefix(err.Error(), "open store "+path+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
