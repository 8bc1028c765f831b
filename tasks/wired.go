package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"evrun/store"
)

// ErrStopping is what [Runner.Replace] answers while the runner stops.
var ErrStopping = errors.New("the runner is stopping")

// Changes says what differs between two wirings, by name, in the order of the files.
type Changes struct {
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Changed []string `json:"changed,omitempty"`
}

// None says whether all is as it was.
func (c Changes) None() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) == 0 }

// LogValue leaves out empty lists.
func (c Changes) LogValue() slog.Value {
	var group []slog.Attr
	for _, part := range []struct {
		what  string
		names []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"changed", c.Changed}} {
		if len(part.names) > 0 {
			group = append(group, slog.Any(part.what, part.names))
		}
	}
	return slog.GroupValue(group...)
}

// Compare gives the changes from one list to another; same says whether two entries of one name are alike.
func Compare[E any](was, is []E, name func(E) string, same func(a, b E) bool) Changes {
	var c Changes
	before := make(map[string]E, len(was))
	for _, e := range was {
		before[name(e)] = e
	}
	for _, e := range is {
		switch old, ok := before[name(e)]; {
		case !ok:
			c.Added = append(c.Added, name(e))
		case !same(old, e):
			c.Changed = append(c.Changed, name(e))
		}
		delete(before, name(e))
	}
	for _, e := range was {
		if _, left := before[name(e)]; left {
			c.Removed = append(c.Removed, name(e))
		}
	}
	return c
}

// wired is what runs: the handlers in the order of the file, and a member for each. It is not changed, but replaced.
type wired struct {
	handlers []*Handler
	members  map[string]*member
}

// member is a wired handler with the worker that runs it.
type member struct {
	h     *Handler
	w     *worker
	stop  context.CancelFunc
	begun chan struct{} // closed when the worker begins to read the store
	ended chan struct{} // closed when the worker has ended, and the action is closed
	// inherits says that it must take over from others first. r.wiring guards it.
	inherits bool
	// resumed has a token when a paused handler may go on.
	resumed chan struct{}
}

func newMember(r *Runner, h *Handler) *member {
	return &member{h: h, w: newWorker(r, h), stop: func() {}, begun: make(chan struct{}), ended: make(chan struct{}), resumed: make(chan struct{}, 1)}
}

// sameHandler says whether a handler needs no replacing: nothing that was written of it has changed.
func sameHandler(a, b *Handler) bool { return a == b || a.Version != "" && a.Version == b.Version }

// Replaced is what came of [Runner.Replace].
type Replaced struct {
	Changes
	Left    []Unfinished // removed handlers for which events or runs wait
	Paused  []Unfinished // added handlers that were gone for long, and wait for [Runner.Resume]
	Unknown []UnknownWas
}

// migrateWithin is how long the migrations of a replacement may take: they hold up all that is written.
const migrateWithin = time.Second

// Along is changed together with the handlers, or not at all.
type Along struct {
	Marks []store.ScheduleMark // of schedules that are new or changed
	Gone  []string             // schedules whose marks go
	Done  func()               // called when all of it is on disk, before a new handler begins; nil: nothing is
}

// Replace puts other handlers in the place of those that run, while events come in. A handler of the same name and Version
// goes on untouched. One that is gone takes no more events, ends what it has begun, and keeps its mark. One that has changed ends what
// it has begun first, and goes on where that was in the journal. One that was another before goes on where that one was, once
// it has ended. A new one begins at the journal's head, unless it is FromStart. See [store.Handlers].
//
// Either all of it happens, with what goes along, or an error says why nothing did: a migration that fails, or that takes too
// long beside running handlers, a store that takes nothing, [ErrStopping].
func (r *Runner) Replace(ctx context.Context, handlers []*Handler, along Along) (Replaced, error) {
	select {
	case <-r.ready:
	case <-ctx.Done():
		return Replaced{}, ctx.Err()
	}
	r.wiring.Lock()
	defer r.wiring.Unlock()
	if r.stopping {
		return Replaced{}, ErrStopping
	}
	was := r.wired.Load()
	next := &wired{handlers: handlers, members: make(map[string]*member, len(handlers))}
	var fresh []*member
	for _, h := range handlers {
		m := was.members[h.Name]
		if m == nil || !sameHandler(m.h, h) {
			m = newMember(r, h)
			fresh = append(fresh, m)
		}
		next.members[h.Name] = m
	}
	w := store.Wiring{Within: migrateWithin, Handlers: takingLater(handlers, nil), Marks: along.Marks, Gone: along.Gone}
	for _, m := range fresh {
		w.Migrations = append(w.Migrations, migration(m.h)...)
	}
	registered, err := r.register(ctx, handlers, w)
	if err != nil {
		if errors.Is(err, store.ErrTimeout) {
			err = fmt.Errorf("%w; nothing has changed: restart evrun, which gives migrations as long as they need", err)
		}
		return Replaced{}, err
	}
	if along.Done != nil {
		along.Done()
	}
	changes := Compare(was.handlers, handlers, func(h *Handler) string { return h.Name }, sameHandler)
	r.wired.Store(next)
	for name, m := range was.members {
		if next.members[name] != m {
			m.stop()
			r.leaving[name] = append(r.leaving[name], m)
		}
	}
	for i, h := range handlers {
		if registered.known[i].Inherits {
			next.members[h.Name].inherits = true
		}
	}
	for _, m := range fresh {
		r.begin(m, append(slices.Clone(r.leaving[m.h.Name]), r.leaving[m.h.Was]...))
	}
	return Replaced{Changes: changes, Left: registered.left, Paused: registered.paused, Unknown: registered.unknown}, nil
}

// takingLater registers handlers of which only one can take over from others now: those of the rest may still end what they
// have begun.
func takingLater(handlers []*Handler, but *Handler) []store.Registration {
	regs := registrations(handlers)
	for i, h := range handlers {
		regs[i].Later = h != but
	}
	return regs
}

// begin runs a member once those that came before it have ended, and once it is not paused. r.wiring is held.
func (r *Runner) begin(m *member, before []*member) {
	ctx, stop := context.WithCancel(r.running)
	m.stop = stop
	r.wg.Go(func() {
		defer r.ended(m)
		for _, b := range before {
			<-b.ended
		}
		for paused := true; paused; {
			var err error
			if paused, err = r.takeUp(ctx, m); err != nil {
				if ctx.Err() == nil {
					r.fail(m, err)
				}
				close(m.w.ended)
				return
			}
			if paused {
				select {
				case <-m.resumed:
				case <-ctx.Done():
				}
			}
		}
		if err := m.w.run(ctx, r.work); err != nil {
			r.fail(m, err)
		}
	})
}

// takeUp opens a member's worker where the store has its handler now, unless it is paused.
func (r *Runner) takeUp(ctx context.Context, m *member) (paused bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	r.wiring.Lock()
	defer r.wiring.Unlock()
	at := r.wired.Load()
	if at.members[m.h.Name] != m {
		return false, context.Canceled // replaced before it began
	}
	known, err := r.inherit(ctx, m, at)
	if err != nil || known.Paused {
		return known.Paused, err
	}
	r.openAction(m.h)
	close(m.begun) // before the store is read: runs that are retried from here on are handed over
	return false, m.w.open(ctx, known)
}

// inherit returns where the store has a member's handler, once that took over what it has to.
func (r *Runner) inherit(ctx context.Context, m *member, at *wired) (store.Consumer, error) {
	if !m.inherits { // nothing has changed since it was registered, but for its mark
		list, err := r.o.Store.Handlers(ctx, m.h.Name)
		if err == nil && len(list) == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			return store.Consumer{}, err
		}
		return list[0], nil
	}
	list, err := r.o.Store.Register(ctx, takingLater(at.handlers, m.h), nil)
	if err != nil {
		return store.Consumer{}, err
	}
	m.inherits = false
	known := list[slices.Index(at.handlers, m.h)]
	if known.Took {
		r.tellTook(m.h, known)
	}
	return known, nil
}

// ended lets go of a member whose worker has ended.
func (r *Runner) ended(m *member) {
	m.stop()
	if err := closeAction(m.h); err != nil {
		r.fail(m, err)
	}
	r.wiring.Lock()
	defer r.wiring.Unlock()
	close(m.ended)
	left := r.leaving[m.h.Name]
	for i, l := range left {
		if l == m {
			r.leaving[m.h.Name] = append(left[:i:i], left[i+1:]...)
		}
	}
	if len(r.leaving[m.h.Name]) == 0 {
		delete(r.leaving, m.h.Name)
	}
}

// fail ends the runner with an error, the first one.
func (r *Runner) fail(m *member, err error) {
	select {
	case r.failure <- fmt.Errorf("handler %s: %w", m.h.Name, err):
	default:
	}
	r.cancel()
}

// awaits says whether a run of this handler on an event of this type may still come: the handler is wired to it, or was, and
// ends what it has begun.
func (r *Runner) awaits(name, typ string) bool {
	if m := r.wired.Load().members[name]; m != nil && m.h.matches(typ) {
		return true
	}
	return r.replacing(name)
}

// marks returns the low-water marks, by name, of the handlers that run or are paused. One that still waits for others to end may
// take over a lower mark than the store has for it.
func (r *Runner) marks(ctx context.Context) (map[string]int64, error) {
	begun := map[string]bool{}
	for name, m := range r.wired.Load().members {
		select {
		case <-m.begun:
			begun[name] = true
		default:
		}
	}
	known, err := r.o.Store.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	marks := map[string]int64{}
	for _, h := range known {
		if h.State == store.Active && (begun[h.Name] || h.Paused) {
			marks[h.Name] = h.LowWater
		}
	}
	return marks, nil
}

// replacing says whether a handler of this name that is wired no more still has running attempts.
func (r *Runner) replacing(name string) bool {
	r.wiring.Lock()
	defer r.wiring.Unlock()
	return len(r.leaving[name]) > 0
}

// migration gives what makes a handler's own tables, if anything does.
func migration(h *Handler) []store.Migration {
	m, ok := h.Action.(Migrator)
	if !ok || len(m.Migrations()) == 0 {
		return nil
	}
	return []store.Migration{{Handler: h.Name, Statements: m.Migrations()}}
}

// closeAction closes whatever a handler's attempts have opened.
func closeAction(h *Handler) error {
	if c, ok := h.Action.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
