package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/postgres"
	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest/steps"
)

// All connections of a daemon hang, without an end, behind something that keeps them open: the commit that waits on one is asked for again, and the
// daemon goes on.
func TestADaemonWhoseConnectionsHangGoesOn(t *testing.T) {
	proxy, address := newCutter(t, postgrestest.Database(t))
	opt := postgres.Options{Options: store.Options{Node: &store.Node{Name: "a"}, OnCommit: func(store.Commit) {}}}
	s, err := postgres.Open(t.Context(), address, opt)
	if err != nil {
		t.Fatal(err)
	}
	running(t, s)
	must(s.Append(t.Context(), []*events.Event{steps.Event("a", "before")}))(t)
	proxy.era.Add(1)
	t.Cleanup(proxy.cut)
	answer := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), []*events.Event{steps.Event("a", "at it")})
		answer <- err
	}()
	select {
	case err := <-answer:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(50 * time.Second):
		t.Fatal("the commit waits for ever")
	}
	for i := 0; ; i++ {
		_, err := s.Append(t.Context(), []*events.Event{steps.Event("a", fmt.Sprint("after", i))})
		if err == nil {
			break
		} else if !errors.Is(err, store.ErrBusy) || i == 5 {
			t.Fatal(err)
		}
	}
}
