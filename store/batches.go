package store

import (
	"context"
	"errors"
	"time"

	"evrun/events"
)

// ErrBatchMoved: the batch is not where the step begins. Another process has continued it, or it has ended, or is not stored any more.
var ErrBatchMoved = errors.New("the batch has moved on")

// How long batches that make no progress are kept, and how many batches at most. Older ones are deleted when a new one starts.
const (
	KeepBatches = 30 * 24 * time.Hour
	MaxBatches  = 200
)

// Batches keeps the position of each action on a selection that is done page by page.
type Batches interface {
	// StartBatch stores a new batch, and accepts evs in the same transaction. It returns the batch with its StartedAt.
	StartBatch(ctx context.Context, b Batch, evs []*events.Event) (Batch, error)
	// AdvanceBatch is a step that accepts events, as Append does, and counts those that were not known as changed. The error is [ErrBatchMoved] when
	// the batch is not at the step's From; then nothing is written.
	AdvanceBatch(ctx context.Context, step Step, evs []*events.Event) ([]Receipt, error)
	// EndBatch sets EndedAt, and accepts evs in the same transaction. The error is [ErrBatchMoved] when the batch is not at the cursor from.
	EndBatch(ctx context.Context, id, from string, evs []*events.Event) error
	// Batch returns one batch, or [ErrNotFound].
	Batch(ctx context.Context, id string) (Batch, error)
	// Batches returns the stored batches, the latest first.
	Batches(ctx context.Context) ([]Batch, error)
}

// Batch is an action on a selection.
type Batch struct {
	ID      string
	Action  string
	Details []byte // JSON of the caller's: the selection, and what else a later process needs to continue
	By      string // who started it
	Total   int    // the number of things in the selection
	Cursor  string // the position behind the last page that was done; empty at first
	Done    int    // the number of things in those pages
	Changed int    // how many of them were changed
	// StartedAt is set by StartBatch, ChangedAt by each step, EndedAt by EndBatch; zero before.
	StartedAt, ChangedAt, EndedAt time.Time
}

// Step moves a batch from one cursor to the next, in the transaction that does the page between them. So a page is done exactly once, however often
// it is tried, and a batch that is stopped or killed stands between two pages.
type Step struct {
	Batch    string
	From, To string
	Done     int // the number of things in the page
	Changed  int // how many of them were changed; only for [Erasing.Erase], which can't tell
}
