// Package batches does an action to each run or event of a selection: it makes dead runs due again, cancels, drops, or runs recorded events again.
//
// First comes a look: [Batches.Preview] counts the selection exactly, shows a sample, and returns a fingerprint. [Batches.Run] then does the action,
// and refuses with a [*ChangedError] if the fingerprint is not that of the selection any more. What is accepted or dies after Run has begun does not
// belong to the selection.
//
// A batch goes from page to page, the oldest event first. The store does each page in one transaction, with the batch's cursor and counts
// ([store.Step]). So a kill, a stop or a lost connection leaves a batch between two pages; Run continues it by its id, in the same process or in
// another one, and nothing is done twice. Other writes get their turn between the pages.
//
//	preview, err := b.Preview(ctx, batches.Request{Action: "retry", Selection: search.Selection{Handler: "save-user"}})
//	batch, err := b.Run(ctx, batches.Request{Action: "retry", Selection: …, Fingerprint: preview.Fingerprint}, progress)
//
// Limits: [MaxRunning] batches at the same time in a process; a page has [PageSize] runs or [EventPageSize] events; the memory of a batch is that of one page. The store
// keeps the last batches ([store.MaxBatches]). No goroutines: a batch runs in its caller's.
package batches

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/search"
)

const (
	// MaxRunning is how many batches run at the same time.
	MaxRunning = 4
	// PageSize is how many runs one transaction changes, and EventPageSize how many events it repeats. Under load a page waits for about two
	// transactions of what the changed runs do, so smaller pages would take longer; larger ones would hold up other writes.
	PageSize      = 2500
	EventPageSize = 1000
	// SampleSize is how many things a preview shows.
	SampleSize = 5

	maxDetails = 32 << 10 // bytes of the JSON of a selection: the store keeps it
)

// The errors that callers branch on, beside the store's.
var (
	ErrBusy    = errors.New("too many batches are running: try again later")
	ErrRunning = errors.New("the batch is running")
	ErrEnded   = errors.New("the batch has ended")
	ErrStopped = errors.New("the batch was stopped by request; it can be continued")
)

// RequestError says what is wrong with a request.
type RequestError struct{ Msg string }

func (e *RequestError) Error() string { return e.Msg }

func wrong(format string, args ...any) error { return &RequestError{fmt.Sprintf(format, args...)} }

// ChangedError says that the selection is not the one that was looked at before.
type ChangedError struct{ Now Preview }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("the selection has changed since you looked at it: it has %d now; look again", e.Now.Count)
}

// Request asks for a batch.
type Request struct {
	Action    string           `json:"action"`
	Selection search.Selection `json:"selection"`
	All       bool             `json:"all,omitempty"`     // nothing narrows the selection down, and that is meant
	To        string           `json:"to,omitempty"`      // the handler that runs events again; for the action "replay"
	Why       string           `json:"reason,omitempty"`  // in the operator's words
	Options   json.RawMessage  `json:"options,omitempty"` // of the action
	// Fingerprint is that of the preview; empty: whatever the selection is now.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Preview is what an action would do now.
type Preview struct {
	Action      string
	Count       int
	Sample      Page   // the first ones
	Fingerprint string // for Request
	More        int    // what else would be changed, see [Action.More]
	// Failed is how many were left out because the condition could not be evaluated; Failure is the first reason.
	Failed  int
	Failure error
}

// Options are the parts of Batches.
type Options struct {
	Store   store.Store
	Emitter *emitter.Emitter
	Actions []Action
	// Redact replaces secrets in a text; nil: there are none.
	Redact func(string) string
}

// Batches runs the batches of one store. Safe for concurrent use.
type Batches struct {
	o Options

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by id
}

// New returns Batches.
func New(o Options) *Batches { return &Batches{o: o, running: map[string]context.CancelCauseFunc{}} }

// action returns the action of a name.
func (b *Batches) action(name string) (*Action, error) {
	for i := range b.o.Actions {
		if b.o.Actions[i].Name == name {
			return &b.o.Actions[i], nil
		}
	}
	return nil, wrong("action %q: %s", name, b.names())
}

// Running reports whether a batch runs in this process.
func (b *Batches) Running(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running[id] != nil
}

// Stop stops a batch that runs in this process, between two pages, and reports whether there is one. Its Run or Resume returns [ErrStopped], a little
// later.
func (b *Batches) Stop(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	stop := b.running[id]
	if stop != nil {
		stop(ErrStopped)
	}
	return stop != nil
}

// take takes a place for a batch until release. The context that it returns ends with ctx, or when the batch is stopped.
func (b *Batches) take(ctx context.Context, id string) (_ context.Context, release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.running[id] != nil:
		return nil, nil, ErrRunning
	case len(b.running) >= MaxRunning:
		return nil, nil, ErrBusy
	}
	ctx, stop := context.WithCancelCause(ctx)
	b.running[id] = stop
	return ctx, func() {
		stop(nil)
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.running, id)
	}, nil
}

// ended returns the error of a batch; that of its context, if somebody stopped it, is [ErrStopped].
func ended(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), ErrStopped) {
		return ErrStopped
	}
	return err
}

// Preview counts what the action would be done to.
func (b *Batches) Preview(ctx context.Context, r Request) (Preview, error) {
	j, err := b.fresh(ctx, r)
	if err != nil {
		return Preview{}, err
	}
	p, _, err := j.look(ctx)
	return p, err
}

// Run does the action to the whole selection. progress is called when the batch has begun, and after each page; its error, or the end of ctx, stops the
// batch between two pages. The batch is returned as it is in the end; without an ID it has not begun, either because of the error or because there was
// nothing to do. The errors are a [*RequestError], a [*search.SelectionError], a [*ChangedError], [ErrBusy], [ErrStopped], those of ctx and progress, and the store's.
func (b *Batches) Run(ctx context.Context, r Request, progress func(store.Batch) error) (store.Batch, error) {
	id := newID()
	ctx, release, err := b.take(ctx, id)
	if err != nil {
		return store.Batch{}, err
	}
	defer release()
	j, err := b.fresh(ctx, r)
	if err != nil {
		return store.Batch{}, err
	}
	if err := j.agree(r.Fingerprint); err != nil {
		return store.Batch{}, err
	}
	now, f, err := j.look(ctx)
	switch {
	case err != nil:
		return store.Batch{}, err
	case !j.agreed(f):
		return store.Batch{}, &ChangedError{now}
	}
	batch := store.Batch{Action: r.Action, Total: now.Count, By: audit.From(ctx).String()}
	if batch.Details, err = j.kept(now.Failed); err != nil {
		return store.Batch{}, err
	}
	if now.Count == 0 {
		if j.action.Finish != nil {
			err = j.action.Finish(ctx)
		}
		return batch, err
	}
	batch.ID = id
	started, err := j.audit(ctx, events.TypeAuditBatchStarted, batch, nil)
	if err != nil {
		return store.Batch{}, err
	}
	if j.batch, err = b.o.Store.StartBatch(ctx, batch, []*events.Event{started}); err != nil {
		return store.Batch{}, err
	}
	err = j.run(ctx, progress)
	return j.batch, ended(ctx, err)
}

// Resume continues a batch that was stopped or killed. Errors are as in Run, and [store.ErrNotFound], [ErrEnded] and [ErrRunning].
func (b *Batches) Resume(ctx context.Context, id string, progress func(store.Batch) error) (store.Batch, error) {
	ctx, release, err := b.take(ctx, id)
	if err != nil {
		return store.Batch{}, err
	}
	defer release()
	batch, err := b.o.Store.Batch(ctx, id)
	switch {
	case err != nil:
		return store.Batch{}, err
	case !batch.EndedAt.IsZero():
		return batch, ErrEnded
	}
	j, err := b.stored(ctx, batch)
	if err != nil {
		return batch, err
	}
	resumed, err := j.audit(ctx, events.TypeAuditBatchStarted, batch, map[string]any{"resumed": true})
	if err != nil {
		return batch, err
	}
	if _, err := b.o.Emitter.Accept(ctx, []*events.Event{resumed}); err != nil {
		return batch, err
	}
	err = j.run(ctx, progress)
	return j.batch, ended(ctx, err)
}

// details are what the store keeps of a request, to continue it.
type details struct {
	Selection search.Selection `json:"selection"`
	To        string           `json:"to,omitempty"`
	Why       string           `json:"reason,omitempty"`
	Options   json.RawMessage  `json:"options,omitempty"`
	leftOut
	// Of the events up to Head, and of the runs that had not ended after At: what comes later does not belong to the selection.
	Head int64     `json:"head"`
	At   time.Time `json:"at"`
}

// leftOut is what the store keeps of any batch, also of one whose selection is private.
type leftOut struct {
	Failed int `json:"failed,omitempty"` // see [Failed]
}

// Failed returns how many things a batch left out, because the condition could not be evaluated for them when it began.
func Failed(b store.Batch) int {
	var out leftOut
	_ = json.Unmarshal(b.Details, &out) // of this package
	return out.Failed
}

// kept is what the store keeps of the job.
func (j *job) kept(failed int) (text []byte, err error) {
	if j.details.Failed = failed; j.action.Private {
		text, err = events.MarshalJSON(j.details.leftOut)
	} else {
		text, err = events.MarshalJSON(j.details)
	}
	if err == nil && len(text) > maxDetails {
		err = wrong("selection: it has more than %d KiB", maxDetails>>10)
	}
	return text, err
}

// fresh makes the job of a request.
func (b *Batches) fresh(ctx context.Context, r Request) (*job, error) {
	a, err := b.action(r.Action)
	if err != nil {
		return nil, err
	}
	if err := a.check(&r); err != nil {
		return nil, err
	}
	if b.o.Redact != nil && (b.o.Redact(r.Selection.Where) != r.Selection.Where || b.o.Redact(r.Why) != r.Why) {
		return nil, wrong("the condition or the reason contains a secret of the wiring file: both are stored, and recorded in the audit trail")
	}
	head, err := b.o.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	j := &job{b: b, action: a, details: details{Selection: r.Selection, To: r.To, Why: r.Why, Options: r.Options, Head: head, At: time.Now().UTC()}}
	return j, j.resolve(ctx)
}

// stored makes the job of a batch that has begun.
func (b *Batches) stored(ctx context.Context, batch store.Batch) (*job, error) {
	a, err := b.action(batch.Action)
	if err != nil {
		return nil, err
	}
	if a.Private {
		return nil, wrong("to %s can't be continued: its selection is not stored; select again, what was done is not done twice", a.Name)
	}
	j := &job{b: b, action: a, batch: batch}
	if err := json.Unmarshal(batch.Details, &j.details); err != nil {
		return nil, fmt.Errorf("batch %s: its selection: %w", batch.ID, err)
	}
	return j, j.resolve(ctx)
}
