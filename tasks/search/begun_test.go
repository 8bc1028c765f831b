package search_test

import (
	"context"
	"testing"

	"evrun/store"
	"evrun/tasks/search"
)

// begins has a run that waits when it is looked for among those that have begun, and has begun when it is looked for among those that wait.
type begins struct {
	search.RunSource
	looked bool
}

func (b *begins) FindRun(ctx context.Context, id string) (store.Run, error) {
	if !b.looked {
		b.looked = true
		return store.Run{}, store.ErrNotFound
	}
	return b.RunSource.FindRun(ctx, id)
}

func TestARunThatBeginsMeanwhileIsFound(t *testing.T) {
	w := newWorld(t, 6)
	id := w.runs[0].ID
	run, err := search.Run(t.Context(), &begins{RunSource: w.s}, id)
	if err != nil || run.ID != id {
		t.Errorf("%q, %v", run.ID, err)
	}
}
