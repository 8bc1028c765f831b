package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/taskstest"
)

// late acknowledges an event only once its run is being settled.
type late struct {
	store.Store
	settling chan struct{}
}

func (l *late) Append(ctx context.Context, evs []*events.Event) ([]store.Receipt, error) {
	receipts, err := l.Store.Append(ctx, evs)
	<-l.settling
	return receipts, err
}

// slow is an effect that takes a while in the transaction that settles its run.
type slow struct {
	settling chan struct{}
	takes    time.Duration
}

func (s *slow) Prepare(*tasks.Delivery) (tasks.Effect, error) {
	return tasks.Effect{Write: func(store.Tx) (any, error) {
		close(s.settling)
		time.Sleep(s.takes) // of the bubble's clock
		return nil, nil
	}}, nil
}

// A request that waits for an event subscribes to commits before the event is published: the end of a run whose last transaction began
// before the acknowledgement is reported with that transaction's commit, and not at the next look into the store.
func TestTheEndOfAFastRunIsReportedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	synctest.Test(t, func(t *testing.T) {
		const takes = 10 * time.Millisecond
		action := &slow{settling: make(chan struct{}), takes: takes}
		d := taskstest.Start(t, taskstest.Options{Path: path, Store: sqlite.Options{Unwatched: true}, Tasks: tasks.Options{
			Handlers: []*tasks.Handler{{Name: "h", On: []events.Pattern{events.MustPattern("a.b")}, Action: action}},
		}, Tune: func(s store.Store, o *tasks.Options) {
			o.Emitter = emitter.New(&late{Store: s, settling: action.settling}, 0)
		}})
		server := NewServer(Options{Store: d.Store, Emitter: d.Emitter, Handlers: d.Runner, Log: quiet(), MaxData: 1000,
			Daemon: &Daemon{Runner: d.Runner, Bus: d.Bus, Commits: d.Commits}})
		l := &piped{conns: make(chan net.Conn), closed: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		c := l.dial()
		began := time.Now()
		fmt.Fprint(c, "POST /v1/events?wait=1m HTTP/1.0\r\nHost: evrun\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 14\r\n\r\n{\"type\":\"a.b\"}")
		answer, err := io.ReadAll(c)
		if took := time.Since(began); took != takes {
			t.Errorf("the answer took %v, the run %v", took, takes)
		}
		if text := string(answer); err != nil || !strings.Contains(text, `"state":"succeeded"`) || !strings.Contains(text, `{"end":{`) {
			t.Errorf("%s, %v", text, err)
		}
		if err := errors.Join(server.Close(t.Context()), <-served, d.Stop()); err != nil {
			t.Error(err)
		}
	})
}
