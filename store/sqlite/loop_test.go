package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"evrun/events"
	"evrun/store"
)

// begin runs s and returns when it rests, so that the next write is direct. ended gets the result of Run.
func begin(t *testing.T, opt Options) (s *Store, stop func(), ended chan error) {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended = make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.resting()
	t.Cleanup(func() {
		stop()
		<-s.w.stopped
		s.Close()
	})
	return s, stop, ended
}

// resting waits until a caller could write.
func (s *Store) resting() {
	for !s.w.mu.TryLock() {
		runtime.Gosched()
	}
	s.w.mu.Unlock()
}

func appending(s *Store, id string) error {
	_, err := s.Append(context.Background(), []*events.Event{{ID: id, Source: "/t", Type: "a"}})
	return err
}

// held is a direct write that goes on until release is closed.
func held(t *testing.T, s *Store) (release chan struct{}, done chan error) {
	t.Helper()
	begun := make(chan struct{})
	release, done = make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.w.submit(context.Background(), newOp(1, 0, func(t *txn) error {
			close(begun)
			<-release
			return t.append([]*events.Event{{ID: "held", Source: "/t", Type: "a"}}, make([]store.Receipt, 1))
		}))
	}()
	<-begun
	return release, done
}

func TestWhileNothingWaitsACallerCommitsItsOwnWrite(t *testing.T) {
	var by string
	s, _, _ := begin(t, Options{At: func(p Point) {
		if p == BeforeCommit {
			stack := make([]byte, 64<<10)
			by = string(stack[:runtime.Stack(stack, false)])
		}
	}})
	if err := appending(s, "1"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(by, "sqlite.appending(") {
		t.Errorf("it was committed by %s", by)
	}
}

// The writes that come meanwhile wait in the queue, and share the next transaction.
func TestWritesWaitForADirectWrite(t *testing.T) {
	var commits []int
	s, _, _ := begin(t, Options{Options: store.Options{OnCommit: func(c store.Commit) { commits = append(commits, len(c.Events)) }}})
	release, done := held(t, s)
	waiting := make(chan error, 3)
	for _, id := range []string{"1", "2", "3"} {
		go func() { waiting <- appending(s, id) }()
	}
	for len(s.w.ops) < 3 {
		runtime.Gosched()
	}
	close(release)
	if err := errors.Join(<-done, <-waiting, <-waiting, <-waiting); err != nil {
		t.Fatal(err)
	}
	if len(commits) != 2 || commits[0] != 1 || commits[1] != 3 {
		t.Errorf("transactions of %v events, want 1 and 3", commits)
	}
}

func TestRunReturnsAfterADirectWrite(t *testing.T) {
	s, stop, ended := begin(t, Options{})
	release, done := held(t, s)
	stop()
	for range 1000 {
		runtime.Gosched()
	}
	select {
	case err := <-ended:
		t.Fatalf("Run has returned, with %v", err)
	default:
	}
	close(release)
	if err := errors.Join(<-done, <-ended); err != nil {
		t.Error(err)
	}
	if err := appending(s, "late"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a write after the end: %v", err)
	}
	if head, err := s.Head(t.Context()); head != 1 || err != nil {
		t.Errorf("%d events, %v", head, err)
	}
}

// A server may recover a panic of a request's goroutine. The transaction is still open then: nothing more may be written or acknowledged.
func TestAPanicInADirectWriteBreaksTheStore(t *testing.T) {
	s, _, ended := begin(t, Options{At: func(p Point) {
		if p == BeforeCommit {
			panic("a defect")
		}
	}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = appending(s, "1")
	}()
	if err := appending(s, "2"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("the next write: %v", err)
	}
	if err := <-ended; !errors.Is(err, store.ErrBroken) {
		t.Errorf("Run: %v", err)
	}
}

// As in a replaced store's Run: what is lost is not written directly either.
func TestALostStoreTakesNoDirectWrite(t *testing.T) {
	s, _, ended := begin(t, Options{})
	release, done := held(t, s)
	s.w.lose(store.ErrReplaced)
	waiting := make(chan error, 1)
	go func() { waiting <- appending(s, "1") }()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, store.ErrClosed) {
		t.Errorf("a write: %v", err)
	}
	if err := <-ended; !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Run: %v", err)
	}
}
