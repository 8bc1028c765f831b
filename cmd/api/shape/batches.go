package shape

import (
	"encoding/json"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/batches"
)

// BatchRequest asks for a look at a selection, for an action on it, or for the rest of a batch that was stopped.
type BatchRequest struct {
	batches.Request
	DryRun bool   `json:"dry_run,omitempty"`
	Detach bool   `json:"detach,omitempty"` // a client that leaves does not stop the batch
	Resume string `json:"resume,omitempty"` // the id of the batch; the rest of the request is then empty, but for an action that must be the batch's
}

// BatchPreview answers a dry run.
type BatchPreview struct {
	Action      string          `json:"action"`
	Count       int             `json:"count"`
	Runs        []Run           `json:"runs,omitempty"`   // the first ones of the selection
	Events      []*events.Event `json:"events,omitempty"` // likewise
	Fingerprint string          `json:"fingerprint"`      // for the request that does it
	More        int             `json:"more,omitempty"`   // what else would be changed: to erase, the events that carry copies
	// Failed is how many are left out because the condition could not be evaluated; Failure is the first reason.
	Failed  int    `json:"failed,omitempty"`
	Failure string `json:"failure,omitempty"`
}

// BatchPreviewOf returns the shape of a preview.
func BatchPreviewOf(p batches.Preview) BatchPreview {
	shape := BatchPreview{Action: p.Action, Count: p.Count, Runs: Each(p.Sample.Runs, RunOf), Events: p.Sample.Events, Fingerprint: p.Fingerprint, More: p.More, Failed: p.Failed}
	if p.Failure != nil {
		shape.Failure = p.Failure.Error()
	}
	return shape
}

// The states of a batch.
const (
	BatchRunning = "running"
	BatchStopped = "stopped" // between two pages, because its client left or evrun was stopped: it can be continued
	BatchEnded   = "ended"
)

// Batch is an action on a selection.
type Batch struct {
	ID        string          `json:"id,omitempty"` // none: there was nothing to do
	Action    string          `json:"action"`
	State     string          `json:"state"`
	Request   json.RawMessage `json:"request,omitempty"` // its selection, and what else it is about
	By        string          `json:"by,omitempty"`
	Total     int             `json:"total"`
	Done      int             `json:"done"`
	Changed   int             `json:"changed"`
	LeftAlone int             `json:"left_alone"`       // of those that are done: something else had happened to them
	Failed    int             `json:"failed,omitempty"` // left out, because the condition could not be evaluated for them
	StartedAt *time.Time      `json:"started_at,omitempty"`
	ChangedAt *time.Time      `json:"changed_at,omitempty"`
	EndedAt   *time.Time      `json:"ended_at,omitempty"`
	Problem   *Problem        `json:"problem,omitempty"` // why it was stopped; in the last line of an answer
}

// BatchOf returns the shape of a batch. running: it is being done in this process.
func BatchOf(b store.Batch, running bool) Batch {
	shape := Batch{
		ID: b.ID, Action: b.Action, State: BatchStopped, By: b.By, Total: b.Total, Done: b.Done, Changed: b.Changed, LeftAlone: b.Done - b.Changed, Failed: batches.Failed(b),
		StartedAt: TimeOf(b.StartedAt), ChangedAt: TimeOf(b.ChangedAt), EndedAt: TimeOf(b.EndedAt), Request: b.Details,
	}
	switch {
	case !b.EndedAt.IsZero(), b.ID == "":
		shape.State, shape.LeftAlone = BatchEnded, b.Total-b.Changed
	case running:
		shape.State = BatchRunning
	}
	return shape
}
