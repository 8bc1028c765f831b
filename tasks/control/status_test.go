package control

import (
	"context"
	"errors"
	"testing"
	"time"

	"evrun/store"
)

// behind is a store whose handlers have 7 events after their marks.
type behind struct {
	store.Store
	count func(ctx context.Context) (store.Backlog, error)
}

func (b behind) Head(context.Context) (int64, error)                     { return 7, nil }
func (b behind) Counts(context.Context) (map[string]store.Counts, error) { return nil, nil }
func (b behind) Handlers(context.Context, ...string) ([]store.Consumer, error) {
	return []store.Consumer{{ID: 1, Name: "a"}, {ID: 2, Name: "b"}}, nil
}
func (b behind) CountWaiting(ctx context.Context, _ store.Consumer, _ int64) (int64, bool, error) {
	counted, err := b.count(ctx)
	return counted.Waiting, counted.AtMost, err
}

// A status has an upper bound of the events for whose count there was no time, and does not fail.
func TestAStatusDoesNotWaitForCounts(t *testing.T) {
	broken, past := errors.New("broken"), time.Unix(0, 0)
	for name, c := range map[string]struct {
		until  time.Time
		count  func(ctx context.Context) (store.Backlog, error)
		counts int // how many counts begin
		want   int64
		atMost bool
		err    error
	}{
		"counted":      {time.Time{}, func(context.Context) (store.Backlog, error) { return store.Backlog{Waiting: 3}, nil }, 2, 3, false, nil},
		"no time":      {past, func(context.Context) (store.Backlog, error) { return store.Backlog{Waiting: 3}, nil }, 0, 7, true, nil},
		"too long":     {time.Time{}, func(context.Context) (store.Backlog, error) { return store.Backlog{}, store.ErrTimeout }, 2, 7, true, nil},
		"out of order": {time.Time{}, func(context.Context) (store.Backlog, error) { return store.Backlog{}, broken }, 1, 0, false, broken},
	} {
		counts := 0
		s := behind{count: func(ctx context.Context) (store.Backlog, error) { counts++; return c.count(ctx) }}
		handlers := []Wired{{Name: "a"}, {Name: "b"}}
		list, err := Statuses(t.Context(), s, handlers, false, c.until, func(string) (Live, bool) { return Live{}, false })
		if !errors.Is(err, c.err) || counts != c.counts {
			t.Errorf("%s: %v after %d counts", name, err, counts)
		}
		for _, st := range list {
			if *st.Waiting != c.want || st.AtMost != c.atMost {
				t.Errorf("%s: %s has %d waiting (at most: %v)", name, st.Name, *st.Waiting, st.AtMost)
			}
		}
	}
}

// elsewhereOnly is a store with a handler that another daemon has, and one that has left.
type elsewhereOnly struct{ behind }

func (elsewhereOnly) Handlers(context.Context, ...string) ([]store.Consumer, error) {
	return []store.Consumer{{ID: 1, Name: "a", State: store.Active, Elsewhere: true}, {ID: 2, Name: "b", State: store.Left}}, nil
}

func TestAHandlerOfAnotherDaemonHasNotLeft(t *testing.T) {
	s := elsewhereOnly{behind{count: func(context.Context) (store.Backlog, error) { return store.Backlog{Waiting: 3}, nil }}}
	list, err := Statuses(t.Context(), s, nil, true, time.Time{}, func(string) (Live, bool) { return Live{}, false })
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].State != StateActive || list[0].LeftWith != 0 || *list[0].Waiting != 3 || list[1].State != StateLeft {
		t.Errorf("%+v", list)
	}
	left, err := Leaving(t.Context(), s, nil)
	if err != nil || len(left) != 0 {
		t.Errorf("leaving: %+v, %v", left, err)
	}
}
