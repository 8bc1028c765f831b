// Package retention decides when a store is pruned, and how much: see [store.Retention] for what goes then.
//
// A [Keeper] is a part of the daemon. Its rounds, at least one a minute, and one a second while much is accepted, prune what has become older than the
// bound, then the oldest if the store is larger than its bound; from time to time they look again at the chains that were kept, forget old keys, and give
// free space back. All of this goes in small steps, with rests between them, so that acceptance is not held up.
//
//	k := retention.New(retention.Options{Store: s, Policy: retention.Policy{Events: 30 * 24 * time.Hour}, Log: log})
//	err := k.Run(ctx)
//
// A Keeper owns no goroutine but that of its Run, and with a lease one that follows it.
package retention

import (
	"context"
	"time"

	"evrun/store"
)

// Policy is how long, and how much, is kept.
type Policy struct {
	Events time.Duration // chains that are older go; 0: no chain goes because of its age
	Size   int64         // the oldest go until the store uses no more bytes; 0: no bound
	Dedupe time.Duration // how long the keys of pruned events are kept; 0: not
}

// Prunes reports whether anything is pruned at all.
func (p Policy) Prunes() bool { return p.Events > 0 || p.Size > 0 }

// keepLast is how old an event must be to go because of the store's size, whatever that is.
const keepLast = time.Minute

// Report is what pruning did, or would do.
type Report struct {
	store.Pruned
	Lost []store.Lost `json:"lost,omitempty"`
	Kept []store.Kept `json:"kept,omitempty"`
}

func (r *Report) add(step *store.PruneStep) {
	r.Add(step.Pruned)
	for _, l := range step.Lost {
		r.lose(l)
	}
	for _, k := range step.Kept {
		r.keep(k)
	}
}

func (r *Report) lose(l store.Lost) {
	for i := range r.Lost {
		if r.Lost[i].Handler == l.Handler {
			r.Lost[i].Events += l.Events
			r.Lost[i].Runs += l.Runs
			return
		}
	}
	r.Lost = append(r.Lost, l)
}

func (r *Report) keep(k store.Kept) {
	for i := range r.Kept {
		if known := &r.Kept[i]; known.Reason == k.Reason && known.Handler == k.Handler {
			known.Chains += k.Chains
			known.Events += k.Events
			known.First = min(known.First, k.First)
			return
		}
	}
	r.Kept = append(r.Kept, k)
}

// steps prunes from a place in the journal on, step by step, until there is nothing more, or at least q.Bytes went.
func steps(ctx context.Context, s store.Retention, q store.PruneQuery, r *Report) (last store.PruneStep, err error) {
	for !last.End {
		if err := ctx.Err(); err != nil {
			return last, err
		}
		if last, err = s.Prune(ctx, q); err != nil {
			return last, err
		}
		r.add(&last)
		q.After = last.Reached
		if q.Bytes > 0 {
			if q.Bytes -= last.Bytes; q.Bytes <= 0 {
				return last, nil
			}
		}
	}
	return last, nil
}
