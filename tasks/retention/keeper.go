package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"evrun/store"
)

// Options are what a [Keeper] needs.
type Options struct {
	Store  store.Retention
	Policy Policy
	Log    *slog.Logger
	// Leases has the lead of pruning, which one daemon has at a time. Nil: this one prunes.
	Leases store.Leases
	Now    func() time.Time // default: time.Now
	// Elapsed is the time that has passed since some moment, by a clock that nobody sets. Default with a Now of its own: jumps of the clock go unnoticed.
	Elapsed func() time.Duration
}

// Keeper prunes a store by a policy. Its methods are safe for concurrent use.
type Keeper struct {
	o       Options
	changed chan struct{} // has a token after Set

	mu     sync.Mutex
	policy Policy
	end    context.CancelFunc // ends the round that goes on; nil: none began yet
	next   time.Time          // the next round
	kept   []store.Kept
	over   int64 // bytes beyond the policy's Size that could not go
	failed error // of the last round

	// Of Run's goroutine.
	revisited time.Time
	swept     time.Time
	key       []byte // where the keys are looked at next
	unlogged  Report
	logged    time.Time
	jumps     jumps

	lead lead
}

// New returns a keeper. Run makes it prune.
func New(o Options) *Keeper {
	if o.Now == nil {
		o.Now = time.Now
		if o.Elapsed == nil {
			begun := time.Now()
			o.Elapsed = func() time.Duration { return time.Since(begun) }
		}
	}
	return &Keeper{o: o, policy: o.Policy, changed: make(chan struct{}, 1), jumps: jumps{elapsed: o.Elapsed}}
}

// Set changes the policy, from now on: a round that goes on ends, since the new policy may keep what it prunes.
func (k *Keeper) Set(p Policy) {
	k.mu.Lock()
	if k.policy = p; k.end != nil {
		k.end()
	}
	k.mu.Unlock()
	select {
	case k.changed <- struct{}{}:
	default: // there is a token
	}
}

// Policy returns the current policy.
func (k *Keeper) Policy() Policy {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.policy
}

// The intervals.
const (
	roundAtLeast = time.Second // between rounds
	roundAtMost  = time.Minute
	logEvery     = time.Hour // what was pruned meanwhile is one line
	revisitEvery = 10 * time.Minute
	sweepAtLeast = time.Minute // between searches for old keys
	sweepAtMost  = 6 * time.Hour
)

// Run prunes, round by round, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	end, err := k.follow(ctx)
	if err != nil {
		if over(ctx, err) {
			return nil
		}
		return err
	}
	defer end()
	for {
		for !k.leads() {
			select {
			case <-k.changed:
			case <-ctx.Done():
				return nil
			}
		}
		round, p := k.begin(ctx)
		wait, err := k.leadRound(round, p)
		switch {
		case over(ctx, err):
			return nil
		case round.Err() != nil: // by Set
			continue
		case err != nil && k.failed == nil:
			k.o.Log.Warn("pruning failed; it is tried again every minute", "error", err)
		case err == nil && k.failed != nil:
			k.o.Log.Info("pruning works again")
		}
		k.mu.Lock()
		k.failed, k.next = err, k.o.Now().Add(wait)
		k.mu.Unlock()
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-k.changed:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		t.Stop()
	}
}

// over reports whether a round was the last one: the keeper or the store ends, which is no failure.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, store.ErrClosed)
}

// begin begins a round by the current policy. Its context ends at the next one, and when the policy changes.
func (k *Keeper) begin(ctx context.Context) (context.Context, Policy) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end != nil {
		k.end()
	}
	ctx, k.end = context.WithCancel(ctx)
	return ctx, k.policy
}

// round does what is due, and returns how long the next round can wait.
func (k *Keeper) round(ctx context.Context, p Policy) (wait time.Duration, err error) {
	jump, rest := k.jumps.look(k.o.Now())
	if jump != 0 {
		k.o.Log.Warn("the clock has moved by more than a day at once: nothing is pruned for an hour", "moved", jump.Round(time.Second))
	}
	if rest > 0 {
		return min(rest, roundAtMost), nil
	}
	state, err := k.o.Store.Pruning(ctx)
	if err != nil {
		return roundAtMost, err
	}
	if p.Prunes() {
		if state.Old && state.Announced.IsZero() {
			if err := k.announce(ctx, p); err != nil {
				return roundAtMost, err
			}
		}
		now := k.o.Now()
		if begins := state.Begins(now); now.Before(begins) {
			return min(begins.Sub(now), roundAtMost), nil
		}
		if wait, err = k.prune(ctx, p, state.Scanned); err != nil {
			return roundAtMost, err
		}
	} else {
		wait = roundAtMost
	}
	k.log()
	if err := k.sweep(ctx, p, state.Keys); err != nil {
		return roundAtMost, err
	}
	return wait, giveBack(ctx, k.o.Store)
}

// announce says that an old store will be pruned.
func (k *Keeper) announce(ctx context.Context, p Policy) error {
	if err := k.o.Store.AnnouncePruning(ctx); err != nil {
		return err
	}
	k.o.Log.Warn("an older evrun made this store, which deleted nothing: what retention does not keep will be pruned from now on",
		"begins_at", k.o.Now().Add(store.AnnouncedFor).UTC().Format(time.RFC3339), "events", Text(p.Events), "size", SizeText(p.Size),
		"hint", "evrun prune --dry-run says what will go; retention: {events: off} in the wiring file keeps everything")
	return nil
}

// prune prunes by age and by size.
func (k *Keeper) prune(ctx context.Context, p Policy, scanned int64) (wait time.Duration, err error) {
	wait = roundAtMost
	q := store.PruneQuery{Keys: p.Dedupe > 0}
	if p.Events > 0 {
		q.After, q.Until = scanned, k.o.Now().Add(-p.Events)
		last, err := steps(ctx, k.o.Store, q, &k.unlogged)
		if err != nil {
			return wait, err
		}
		if scanned = last.Reached; !last.Next.IsZero() {
			wait = min(max(last.Next.Add(p.Events).Sub(k.o.Now()), roundAtLeast), roundAtMost)
		}
	}
	if p.Size > 0 {
		if err := k.shrink(ctx, p, scanned); err != nil {
			return wait, err
		}
		wait = min(wait, 5*roundAtLeast)
	}
	return wait, k.revisit(ctx, p, scanned)
}

// shrink prunes the oldest until the store is below its bound.
func (k *Keeper) shrink(ctx context.Context, p Policy, scanned int64) error {
	for {
		size, err := k.o.Store.Sizes(ctx)
		if err != nil {
			return err
		}
		over := max(0, size.Used()-p.Size)
		k.mu.Lock()
		k.over = over
		k.mu.Unlock()
		if over == 0 {
			return nil
		}
		q := store.PruneQuery{After: scanned, Until: k.o.Now().Add(-keepLast), Keys: p.Dedupe > 0, Bytes: over}
		last, err := steps(ctx, k.o.Store, q, &k.unlogged)
		if err != nil || last.End {
			return err
		}
		scanned = last.Reached
	}
}

// revisit looks again at the chains that were kept.
func (k *Keeper) revisit(ctx context.Context, p Policy, scanned int64) error {
	now := k.o.Now()
	if scanned == 0 || now.Sub(k.revisited) < revisitEvery && !now.Before(k.revisited) {
		return nil
	}
	until := now.Add(-p.Events)
	if p.Events == 0 {
		until = now.Add(-keepLast)
	}
	var r Report
	if _, err := steps(ctx, k.o.Store, store.PruneQuery{UpTo: scanned, Until: until, Keys: p.Dedupe > 0}, &r); err != nil {
		return err
	}
	k.revisited = now
	k.mu.Lock()
	k.kept = r.Kept
	k.mu.Unlock()
	r.Kept = nil
	k.unlogged.Add(r.Pruned)
	for _, l := range r.Lost {
		k.unlogged.lose(l)
	}
	return nil
}

// sweep forgets the keys of events that were pruned long ago.
func (k *Keeper) sweep(ctx context.Context, p Policy, keys int64) error {
	now := k.o.Now()
	every := min(max(p.Dedupe/10, sweepAtLeast), sweepAtMost)
	if keys == 0 || k.key == nil && now.Sub(k.swept) < every && !now.Before(k.swept) {
		return nil
	}
	for {
		next, _, err := k.o.Store.ForgetKeys(ctx, k.key, now.Add(-p.Dedupe))
		if err != nil {
			return err
		}
		if k.key = next; next == nil {
			k.swept = now
			return nil
		}
	}
}

// What is given back of a file: free pages over this share of it, in steps.
const (
	freeMost   = 5        // of the file, at most a fifth is free
	freeLeast  = 10       // and a tenth when some was given back
	freeAlways = 16 << 20 // so many bytes always may be
	giveBackAt = 128      // pages
	giveBackIn = 20 * time.Millisecond
)

// giveBack returns free space to the file system, if there is much.
func giveBack(ctx context.Context, s store.Retention) error {
	size, err := s.Sizes(ctx)
	if err != nil || !size.Shrinks || size.Free < freeAlways || size.Free < size.File/freeMost {
		return err
	}
	for pages := (size.Free - size.File/freeLeast) / size.Page; pages > 0; {
		n, err := s.GiveBack(ctx, min(pages, giveBackAt))
		if err != nil || n == 0 {
			return err
		}
		pages -= n
		t := time.NewTimer(giveBackIn)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// log says what was pruned since it last did, at most once an hour.
func (k *Keeper) log() {
	now := k.o.Now()
	if k.unlogged.Events+k.unlogged.Runs == 0 || now.Sub(k.logged) < logEvery && !now.Before(k.logged) {
		return
	}
	r := k.unlogged
	k.unlogged, k.logged = Report{}, now
	k.o.Log.Info("pruned what is older than retention keeps", "events", r.Events, "chains", r.Chains, "runs", r.Runs)
	for _, l := range r.Lost {
		k.o.Log.Warn("a handler that left the wiring file keeps nothing: what it never handled was pruned", "handler", l.Handler,
			"events", l.Events, "runs", l.Runs)
	}
}

// Text is a bound as the wiring file has it: "30d", "off".
func Text(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "off"
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// SizeText is a bound of the size: "10737418240B", "off".
func SizeText(bytes int64) string {
	if bytes == 0 {
		return "off"
	}
	return fmt.Sprintf("%dB", bytes)
}
