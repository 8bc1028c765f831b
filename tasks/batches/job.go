package batches

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/search"
)

// job is a batch that is counted, or that runs.
type job struct {
	b       *Batches
	action  *Action
	details details
	query   search.Query
	batch   store.Batch // as it is stored; of a job that runs
	seen    fingerprint // that the request has; zero: none
}

// A page is made of several of a search, whose steps are short: until it is full, or that much has come together, or that long has passed.
const (
	fillBytes = 1 << 20
	fillTime  = 2 * time.Second
)

// cursorEnd is the cursor behind the last page.
const cursorEnd = "end"

// newID returns the name of a new batch: 8 characters of [a-z2-7], as a store's.
func newID() string {
	var b [5]byte
	rand.Read(b[:]) // documented never to fail
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// resolve makes the search for the selection.
func (j *job) resolve(ctx context.Context) (err error) {
	var keep func(*events.Event) bool
	if j.action.Prepare != nil {
		d := &j.details
		r := Request{Action: j.action.Name, Selection: d.Selection, To: d.To, Why: d.Why, Options: d.Options}
		if keep, err = j.action.Prepare(ctx, &r); err != nil {
			return err
		}
		d.Selection, d.To = r.Selection, r.To
	}
	if j.action.Events {
		j.query, err = j.details.Selection.Events(ctx, j.b.o.Store)
	} else {
		j.query, err = j.details.Selection.Runs(ctx, j.b.o.Store)
	}
	if err != nil {
		return err
	}
	j.query.Keep = keep
	for _, state := range j.query.States {
		if !slices.Contains(j.action.States, state) {
			return wrong("state: %s; to %s, it must be one of %s", state, j.action.Name, strings.Join(search.StateNames(j.action.States...), ", "))
		}
	}
	if len(j.query.States) == 0 {
		j.query.States = j.action.Usual
	}
	return nil
}

// look counts the selection and fingerprints it.
func (j *job) look(ctx context.Context) (p Preview, f fingerprint, err error) {
	p.Action = j.action.Name
	sum := newSum(j.action, &j.details)
	for after := ""; ; {
		page, err := j.page(ctx, after, p.Count >= SampleSize)
		if err != nil {
			return p, f, err
		}
		for i := range page.Len() {
			if !j.action.Shrinks {
				fmt.Fprintln(sum, page.key(i))
			}
			if p.Count++; p.Count <= SampleSize {
				p.Sample.add(&page, i)
			}
		}
		if p.Failed += page.Failed; p.Failure == nil {
			p.Failure = page.Failure
		}
		if j.action.More != nil && page.Len() > 0 {
			more, err := j.action.More(ctx, page)
			if err != nil {
				return p, f, err
			}
			p.More += more
		}
		if after = page.Next; after == "" {
			break
		}
	}
	f = fingerprint{p.Count, j.details.Head, encode(sum)}
	p.Fingerprint = f.String()
	return p, f, nil
}

// run does the pages from the batch's cursor on.
func (j *job) run(ctx context.Context, progress func(store.Batch) error) error {
	if err := progress(j.batch); err != nil {
		return err
	}
	w := Work{Batch: j.batch.ID, By: audit.From(ctx).String(), To: j.details.To, Why: j.details.Why, Options: j.details.Options}
	for after := j.batch.Cursor; after != cursorEnd; {
		if err := ctx.Err(); err != nil {
			return err
		}
		page, err := j.page(ctx, after, true)
		if err != nil {
			return err
		}
		if after = page.Next; after == "" {
			after = cursorEnd
		}
		if page.Len() == 0 {
			continue // a part of the search that has found nothing
		}
		step := store.Step{Batch: j.batch.ID, From: j.batch.Cursor, To: after, Done: page.Len()}
		changed, err := j.action.Do(ctx, w, page, step)
		if err != nil {
			return err
		}
		j.batch.Cursor, j.batch.Done, j.batch.Changed = step.To, j.batch.Done+step.Done, j.batch.Changed+changed
		if err := progress(j.batch); err != nil {
			return err
		}
	}
	if j.action.Finish != nil {
		if err := j.action.Finish(ctx); err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx) // everything is done
	ended, err := j.audit(ctx, events.TypeAuditBatchEnded, j.batch, map[string]any{"changed": j.batch.Changed})
	if err != nil {
		return err
	}
	if err := j.b.o.Store.EndBatch(ctx, j.batch.ID, j.batch.Cursor, []*events.Event{ended}); err != nil {
		return err
	}
	stored, err := j.b.o.Store.Batch(ctx, j.batch.ID)
	if err == nil {
		j.batch = stored
	}
	return err
}

// page reads a page of the selection, without what does not belong to it any more. bare is as in [search.Query].
func (j *job) page(ctx context.Context, after string, bare bool) (Page, error) {
	q := j.query
	q.After, q.Oldest, q.Bare = after, true, bare
	if q.Before == 0 || q.Before > j.details.Head+1 {
		q.Before = j.details.Head + 1
	}
	size := PageSize
	if j.action.Events {
		size = EventPageSize
	}
	size = cmp.Or(j.action.Size, size)
	var all Page
	for began := time.Now(); ; {
		q.Limit = size - all.Len()
		page, err := j.action.page(ctx, j.b.o.Store, q)
		if err != nil {
			return all, err
		}
		page.endedBy(j.details.At)
		all.join(&page)
		if q.After = all.Next; q.After == "" || all.Len() == size || all.bytes() >= fillBytes || time.Since(began) >= fillTime {
			return all, nil
		}
	}
}

// audit makes the event that records the batch's start or end.
func (j *job) audit(ctx context.Context, typ string, batch store.Batch, more map[string]any) (*events.Event, error) {
	data := map[string]any{"batch": batch.ID, "action": batch.Action, "total": batch.Total}
	if !j.action.Private {
		data["selection"] = j.details.Selection
	}
	if j.details.To != "" {
		data["to"] = j.details.To
	}
	if j.details.Why != "" {
		data["reason"] = j.details.Why
	}
	for name, value := range more {
		data[name] = value
	}
	return audit.Event(ctx, j.b.o.Emitter, typ, data)
}

// fingerprint identifies a selection as it was at some time. The selection of an action that [Action.Shrinks] is identified by what is asked for, and
// by the head of the journal then: it may lose runs, which end by themselves, but not gain any.
type fingerprint struct {
	count int
	head  int64
	sum   string
}

func (f fingerprint) String() string { return fmt.Sprintf("%d-%d-%s", f.count, f.head, f.sum) }

func newSum(a *Action, d *details) hash.Hash {
	sum := sha256.New()
	what, _ := events.MarshalJSON(details{Selection: d.Selection, To: d.To, Options: d.Options}) // of texts and numbers
	fmt.Fprintf(sum, "%s %s\n", a.Name, what)
	return sum
}

func encode(sum hash.Hash) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum.Sum(nil)[:15]))
}

// agree takes the fingerprint that the request has.
func (j *job) agree(text string) error {
	if text == "" {
		return nil
	}
	count, rest, _ := strings.Cut(text, "-")
	head, sum, _ := strings.Cut(rest, "-")
	if _, err := fmt.Sscan(count+" "+head, &j.seen.count, &j.seen.head); err != nil || sum == "" || j.seen.head < 0 {
		return wrong("fingerprint %q: it is not that of a preview", text)
	}
	if j.seen.sum = sum; j.action.Shrinks {
		j.details.Head = min(j.details.Head, j.seen.head)
	}
	return nil
}

// agreed reports whether the selection is the one that the request means.
func (j *job) agreed(now fingerprint) bool {
	return j.seen.sum == "" || now.sum == j.seen.sum && (now.count == j.seen.count || j.action.Shrinks && now.count < j.seen.count)
}
