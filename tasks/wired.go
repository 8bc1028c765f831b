package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/chain"
	"evrun/tasks/changes"
	"evrun/tasks/control"
	"evrun/tasks/measure"
	"evrun/tasks/recent"
)

// ErrStopping is the error of [Runner.Replace] while the runner stops.
var ErrStopping = errors.New("the runner is stopping")

// Changes lists the differences between two wirings.
type Changes = changes.Changes

// Compare is [changes.Compare].
func Compare[E any](was, is []E, name func(E) string, same func(a, b E) bool) Changes {
	return changes.Compare(was, is, name, same)
}

// wired holds the wired handlers in the order of the file, and a member for each. It is immutable: a reload replaces it.
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
	// inherits says that it must first take over from others. r.wiring guards it.
	inherits bool
	known    atomic.Pointer[workerStatus] // the last answer to an overview
	recall   recent.Recall
	backlog  measure.Backlog // Runner.scrapes guards it
	// resumed has a token when a paused handler may continue.
	resumed chan struct{}
}

func newMember(r *Runner, h *Handler) *member {
	return &member{h: h, w: newWorker(r, h), stop: func() {}, begun: make(chan struct{}), ended: make(chan struct{}), resumed: make(chan struct{}, 1)}
}

// lookAgain has a member that waits look whether it may begin.
func (m *member) lookAgain() {
	select {
	case m.resumed <- struct{}{}:
	default: // it has not noticed the last call yet
	}
}

// hasBegun reports whether the member's worker has begun to read the store.
func (m *member) hasBegun() bool {
	select {
	case <-m.begun:
		return true
	default:
		return false
	}
}

// retire ends a member that is wired no more, when its attempts have ended.
func (m *member) retire() {
	m.stop()
	m.w.Stop()
}

// members returns the members of the wired handlers, and of those that have left and have not ended.
func (r *Runner) members() []*member {
	r.wiring.Lock()
	defer r.wiring.Unlock()
	list := slices.Collect(maps.Values(r.wired.Load().members))
	for _, left := range r.leaving {
		list = append(list, left...)
	}
	return list
}

// sameHandler reports whether a handler is unchanged and needs no replacement.
func sameHandler(a, b *Handler) bool { return a == b || a.Version != "" && a.Version == b.Version }

// Replaced is the result of [Runner.Replace].
type Replaced struct {
	Changes
	Left    []control.Unfinished // removed handlers for which events or runs wait
	Paused  []control.Unfinished // added handlers that were absent for long, and wait for [Runner.Resume]
	Unknown []UnknownWas
}

// migrateWithin is how long the migrations of a replacement may take: they block all other writes.
const migrateWithin = time.Second

// Along holds changes that are made in one transaction with those of the handlers.
type Along struct {
	Marks []store.ScheduleMark // of new and changed schedules
	Gone  []string             // schedules whose marks are deleted
	Done  func()               // called when everything is on disk, before a new handler begins; nil: not called
}

// Replace replaces the running handlers while events come in. A handler with the same name and Version is not touched. A removed handler starts no
// more runs, finishes its running attempts, and keeps its mark. A changed handler continues at its position in the journal after the old version has
// finished its running attempts. A renamed handler (Was) continues at the position of the old name once that has finished. A new handler begins at
// the journal's head, unless it is FromStart. See [store.Handlers].
//
// Replace makes all changes, including those of along, or none and returns an error: a migration failed or took too long beside running handlers, the
// store refused the write, or [ErrStopping].
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
	w := store.Wiring{Within: migrateWithin, Handlers: takingLater(handlers, ""), Marks: along.Marks, Gone: along.Gone}
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
	changed := Compare(was.handlers, handlers, func(h *Handler) string { return h.Name }, sameHandler)
	r.wired.Store(next)
	for name, m := range was.members {
		if next.members[name] != m {
			m.retire()
			if next.members[name] == nil {
				r.measures.Forget(name)
			}
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
	return Replaced{Changes: changed, Left: registered.left, Paused: registered.paused, Unknown: registered.unknown}, nil
}

// takingLater returns registrations in which only the handler with the name but can take over from others now. The predecessors of the rest may still have
// running attempts.
func takingLater(handlers []*Handler, but string) []store.Registration {
	regs := registrations(handlers)
	for i, h := range handlers {
		regs[i].Later = h.Name != but
	}
	return regs
}

// begin runs a member once its predecessors have ended and it is not paused. r.wiring is held.
func (r *Runner) begin(m *member, before []*member) {
	ctx, stop := context.WithCancel(r.running)
	m.stop = stop
	r.wg.Go(func() {
		defer r.ended(m)
		for _, b := range before {
			<-b.ended
		}
		for waits := true; waits; {
			var err error
			if waits, err = r.takeUp(ctx, m); err != nil && !temporary(err) {
				if ctx.Err() == nil {
					r.fail(m, err)
				}
				close(m.w.ended)
				return
			}
			if waits = waits || err != nil; waits {
				r.wait(ctx, m, err)
			}
		}
		if err := m.w.run(ctx, r.work); err != nil {
			r.fail(m, err)
		}
	})
}

// lookEvery is how often a handler that waits for another daemon looks again, if nobody reports anything.
const lookEvery = 5 * time.Second

// wait waits until there may be something new for a member that can't begin; err is why it can't, if the store can't be read.
func (r *Runner) wait(ctx context.Context, m *member, err error) {
	if r.shared || err != nil {
		after := lookEvery
		if err != nil {
			after = storeRetryEvery
		}
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, after)
		defer end()
	}
	select {
	case <-m.resumed:
	case <-ctx.Done():
	}
}

// takeUp opens a member's worker at the handler's position in the store, unless the handler is paused, or another daemon has yet to give up the one that it
// takes over from.
func (r *Runner) takeUp(ctx context.Context, m *member) (waits bool, err error) {
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
	if err != nil || known.Paused || m.h.Disabled || m.inherits {
		return true, err
	}
	if !m.hasBegun() { // else the store could not be read then
		r.openAction(m.h)
		close(m.begun) // before the store is read: runs that are retried from now on are handed over
	}
	return false, m.w.open(ctx, known)
}

// inherit returns a member's handler as stored, after it has taken over from others if it must.
func (r *Runner) inherit(ctx context.Context, m *member, at *wired) (store.Consumer, error) {
	if !m.inherits { // since it was registered, only its mark has changed
		list, err := r.o.Store.Handlers(ctx, m.h.Name)
		if err == nil && len(list) == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			return store.Consumer{}, err
		}
		return list[0], nil
	}
	list, err := r.o.Store.Register(ctx, takingLater(at.handlers, m.h.Name), nil)
	if err != nil {
		return store.Consumer{}, err
	}
	// By its name: a later wiring that leaves the handler as it is has a Handler of its own for it.
	known := list[slices.IndexFunc(at.handlers, func(h *Handler) bool { return h.Name == m.h.Name })]
	m.inherits = known.Inherits
	if known.Took {
		r.tellTook(m.h, known)
		if known.Paused { // it was not yet, when the wiring changed
			r.o.Log.Warn("a handler is paused; evrun handlers resume "+known.Name+" continues it", "handler", known.Name, "by", known.Pause.By, "why", known.Pause.Why)
		}
	}
	return known, nil
}

// ended removes a member whose worker has ended.
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

// fail ends the runner with an error. The first error counts.
func (r *Runner) fail(m *member, err error) {
	select {
	case r.failure <- fmt.Errorf("handler %s: %w", m.h.Name, err):
	default:
	}
	r.cancel()
}

// Follow follows the consequences of root, an accepted event: see [chain.Follow].
func (r *Runner) Follow(ctx context.Context, root *events.Event, commits *events.Feed[store.Commit], each func(chain.Link) error) (*chain.Chain, error) {
	return chain.Follow(ctx, chain.Handlers{Store: r.o.Store, Matching: r.Matching, Awaits: r.awaits, Marks: r.marks}, root, commits, each)
}

// awaits reports whether a run of this handler on an event may still come: the event goes to the handler, or did and the handler is still finishing
// its work.
func (r *Runner) awaits(name string, e *events.Event) bool {
	if m := r.wired.Load().members[name]; m != nil && m.h.Matches(e) {
		return true
	}
	return r.replacing(name)
}

// marks returns the low-water marks, by name, of the handlers that run or are paused. A handler that still waits for its predecessors to end may take
// over a lower mark than its own in the store.
func (r *Runner) marks(ctx context.Context) (map[string]int64, error) {
	begun := map[string]bool{}
	for name, m := range r.wired.Load().members {
		begun[name] = m.hasBegun()
	}
	known, err := r.o.Store.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	marks := map[string]int64{}
	for _, h := range known {
		if h.State == store.Active && (begun[h.Name] || h.Paused || !h.Disabled.IsZero()) {
			marks[h.Name] = h.LowWater
		}
	}
	return marks, nil
}

// replacing reports whether a handler of this name that is no longer wired still has running attempts.
func (r *Runner) replacing(name string) bool {
	r.wiring.Lock()
	defer r.wiring.Unlock()
	return len(r.leaving[name]) > 0
}

// migration returns the statements that create a handler's tables, if it has any.
func migration(h *Handler) []store.Migration {
	m, ok := h.Action.(Migrator)
	if !ok || len(m.Migrations()) == 0 {
		return nil
	}
	return []store.Migration{{Handler: h.Name, Statements: m.Migrations()}}
}

// closeAction closes a handler's action, if it is an io.Closer.
func closeAction(h *Handler) error {
	if c, ok := h.Action.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
