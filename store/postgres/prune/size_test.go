package prune

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store/postgres/reads"
)

// What was pruned is free, by the estimate, as soon as the step has ended, so that retention.size does not prune on.
func TestPrunedSpaceIsFreeAtOnce(t *testing.T) {
	pool, p := made(t, 5000)
	config, err := pgxpool.ParseConfig(pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	r, err := reads.Open(t.Context(), config, "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before, err := r.Sizes(t.Context())
	if err != nil || before.Free > before.File/4 {
		t.Errorf("full: %+v, %v", before, err)
	}
	for q := old; ; {
		q.UpTo, q.Keys = 4000, false
		step, err := p.Prune(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if q.After = step.Reached; step.End {
			break
		}
	}
	after, err := r.Sizes(t.Context())
	if used := after.Used(); err != nil || used > before.Used()/2 || used < before.Used()/8 {
		t.Errorf("%+v, before %+v, %v", after, before, err)
	}
}
