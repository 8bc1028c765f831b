package shape

import (
	"context"
	"time"

	"evrun/store"
	"evrun/tasks/explain"
	"evrun/tasks/expression"
)

// Reasons adds to runs why their condition was false. The store keeps only the text of the condition: the reason is made of the run's event. It is
// safe for concurrent use.
type Reasons struct {
	journal store.Journal
	reasons explain.Reasons
}

// NewReasons returns the reasons of a journal's runs; redact removes secrets from them, and may be nil.
func NewReasons(journal store.Journal, redact func(string) string) *Reasons {
	return &Reasons{journal: journal, reasons: explain.Reasons{Redact: redact}}
}

// The bounds of one call of Runs: a run beyond them has the text of its condition as the reason, without values.
const (
	maxReasons    = 1000
	reasonsWithin = 300 * time.Millisecond
)

// Runs returns the shapes of stored runs, with their reasons. It reads the events of all skipped ones with one query, or with a few if they have
// much data. A reason that can't be made is not an error.
func (r *Reasons) Runs(ctx context.Context, runs []store.Run) []Run {
	out := Each(runs, RunOf)
	of := map[int64][]int{} // runs by event
	q := store.EventQuery{Limit: maxReasons}
	for i := range runs {
		if runs[i].When == "" || out[i].Reason != "" {
			continue
		}
		out[i].Reason = r.reasons.Skipped(runs[i].When, nil)
		sequence := runs[i].Sequence
		if of[sequence] == nil {
			if len(q.Sequences) == maxReasons {
				continue
			}
			q.Sequences = append(q.Sequences, sequence)
		}
		of[sequence] = append(of[sequence], i)
	}
	for until := time.Now().Add(reasonsWithin); len(of) > 0 && time.Now().Before(until); {
		page, err := r.journal.Events(ctx, q)
		if err != nil || len(page) == 0 {
			break
		}
		for _, e := range page {
			env := expression.NewEnv(e) // of all its runs: its data is decoded once
			for _, i := range of[e.Sequence] {
				if time.Now().Before(until) {
					out[i].Reason = r.reasons.Skipped(runs[i].When, env)
				}
			}
			delete(of, e.Sequence)
		}
		q.After = page[len(page)-1].Sequence
	}
	return out
}

// Condition is the condition that a run was skipped for, with its value in the environment of the run's event and the parts that decided it; nil: it was not
// skipped.
func (r *Reasons) Condition(run store.Run, env *expression.Env) *explain.When {
	if run.When == "" || run.State != store.Skipped {
		return nil
	}
	return r.reasons.Condition(run.When, env)
}

// Any is Runs for streams.
func (r *Reasons) Any(ctx context.Context, runs []store.Run) []any {
	return Each(r.Runs(ctx, runs), func(run Run) any { return run })
}
