package tasks

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"evrun/store"
	"evrun/tasks/capture"
	"evrun/tasks/expression"
)

// printings has the running attempts that print something, by run: people follow them, and what they have printed is saved from time to time.
//
// It holds what the captures keep, so its bound is the number of running attempts times what is kept of each.
type printings struct {
	every time.Duration // see saveEvery

	mu      sync.Mutex
	running map[string]*printing
	waiting map[string]*beginning
}

// printing is an attempt that may print something.
type printing struct {
	all     *printings
	keep    int // as [Handler.KeepOutput]
	handler store.HandlerID
	seq     int64
	run     string
	attempt int
	began   time.Time
	looked  time.Time        // when save last looked at it, or began; save alone uses it
	capture *capture.Capture // nil: its kind keeps none
}

// beginning is what some wait for: the next attempt of a run.
type beginning struct {
	begun   chan struct{} // closed when it has begun
	waiters int
}

func newPrintings() *printings {
	return &printings{every: saveEvery, running: map[string]*printing{}, waiting: map[string]*beginning{}}
}

// Capture begins the output of an attempt. A kind calls it once, before it acts.
func (d *Delivery) Capture(secrets *expression.Secrets) *capture.Capture {
	if d.printing == nil {
		return capture.New(0, secrets)
	}
	return d.printing.begin(secrets)
}

func (p *printing) begin(secrets *expression.Secrets) *capture.Capture {
	p.capture = capture.New(p.keep, secrets)
	l := p.all
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[p.run] = p
	if b := l.waiting[p.run]; b != nil {
		close(b.begun)
		delete(l.waiting, p.run)
	}
	return p.capture
}

// end returns the output of an attempt that is over; nil: nothing is kept.
func (p *printing) end() *store.Output {
	if p.capture == nil {
		return nil
	}
	p.all.mu.Lock()
	if p.all.running[p.run] == p {
		delete(p.all.running, p.run)
	}
	p.all.mu.Unlock()
	return p.capture.End()
}

// Printing is a running attempt whose output can be followed.
type Printing struct {
	Attempt int
	Since   time.Time
	Capture *capture.Capture
}

// Printing returns the running attempt of a run, if its kind has an output.
func (r *Runner) Printing(run string) (Printing, bool) {
	r.printings.mu.Lock()
	defer r.printings.mu.Unlock()
	p := r.printings.running[run]
	if p == nil {
		return Printing{}, false
	}
	return Printing{Attempt: p.attempt, Since: p.began, Capture: p.capture}, true
}

// AwaitPrinting returns a channel that is closed once [Runner.Printing] returns an attempt of the run. leave must be called in the end.
func (r *Runner) AwaitPrinting(run string) (begun <-chan struct{}, leave func()) {
	l := r.printings
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.waiting[run]
	if b == nil {
		b = &beginning{begun: make(chan struct{})}
		if l.running[run] != nil {
			close(b.begun)
			return b.begun, func() {}
		}
		l.waiting[run] = b
	}
	b.waiters++
	return b.begun, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if b.waiters--; b.waiters == 0 && l.waiting[run] == b {
			delete(l.waiting, run)
		}
	}
}

// saveEvery is how old an attempt is when its output is saved for the first time, and how often it is saved if it has changed: about so much of it a
// kill of the daemon may cost.
var saveEvery = 3 * time.Second // changed by tests only

// maxSaved bounds the outputs of one write.
const maxSaved = 1 << 20

// save saves outputs until ctx ends, and then once more those of attempts that nobody waits for any more.
func (l *printings) save(ctx context.Context, in store.Store, log *slog.Logger) {
	ticker := time.NewTicker(l.every / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.saveDue(ctx, l.every, in, log)
		case <-ctx.Done():
			l.saveDue(context.WithoutCancel(ctx), 0, in, log)
			return
		}
	}
}

// saveDue saves the outputs of attempts that were not looked at for d, as far as they have changed.
func (l *printings) saveDue(ctx context.Context, d time.Duration, in store.Store, log *slog.Logger) {
	var list []store.Partial
	size := 0
	write := func() {
		if err := in.KeepOutputs(ctx, list); err != nil {
			log.Debug("the outputs of running attempts can't be saved now", "attempts", len(list), "error", err)
		}
		list, size = nil, 0
	}
	for _, p := range l.due(d) {
		o := p.capture.Unsaved()
		if o == nil {
			continue
		}
		list = append(list, store.Partial{Handler: p.handler, Sequence: p.seq, Attempt: p.attempt, Started: p.began, Output: o})
		if size += o.Size(); size >= maxSaved {
			write()
		}
	}
	if len(list) > 0 {
		write()
	}
}

// due returns the attempts that were not looked at for d.
func (l *printings) due(d time.Duration) (list []*printing) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.running {
		if now.Sub(p.looked) >= d {
			p.looked = now
			list = append(list, p)
		}
	}
	return list
}
