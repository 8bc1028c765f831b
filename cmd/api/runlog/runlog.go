// Package runlog sends what the attempts of a run printed, as lines of NDJSON, and follows a run until it has ended. What is before From was sent; a blank
// line now and then keeps an idle connection.
//
// No goroutines.
package runlog

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/search"
)

// Log sends the log of a run.
type Log struct {
	Store    store.Store
	Runner   *tasks.Runner              // of the daemon; nil: what an attempt prints is sent when it has ended
	Commits  *events.Feed[store.Commit] // of the store; nil: the run can't be followed
	Attempts func(context.Context, store.AttemptQuery) ([]store.Attempt, error)
	Told     func(context.Context, store.Run) shape.Run // the shape of a run
	W        http.ResponseWriter
	ID       string
	From, To int // the attempts that are wanted

	flush *http.ResponseController
	live  int // the attempt whose output was sent while it ran; its end was not sent
}

// Send sends what there is, or with follow each attempt while it runs, until the run has ended. Without an error, and the run as the last line, the log
// is complete.
func (l *Log) Send(ctx context.Context, follow bool) error {
	l.flush = http.NewResponseController(l.W)
	if follow {
		return l.follow(ctx)
	}
	return l.whole(ctx)
}

func (l *Log) send(line shape.LogLine) error { return events.WriteJSON(l.W, line) }

// whole sends what there is now.
func (l *Log) whole(ctx context.Context) error {
	if err := l.stored(ctx, l.To); err != nil {
		return err
	}
	run, err := search.Run(ctx, l.Store, l.ID)
	if err != nil {
		return err
	}
	return l.end(ctx, run)
}

func (l *Log) end(ctx context.Context, run store.Run) error {
	told := l.Told(ctx, run)
	return l.send(shape.LogLine{Run: &told})
}

// stored sends the attempts up to a number that were not sent, and what the running one has printed so far.
func (l *Log) stored(ctx context.Context, upTo int) error {
	const page = 10
	for l.From <= upTo {
		next := min(l.From+page, upTo+1)
		list, err := l.Attempts(ctx, store.AttemptQuery{Run: l.ID, Before: next, Limit: page})
		if err != nil {
			return err
		}
		for _, a := range list {
			if a.Number >= l.From {
				if err := l.attempt(a); err != nil {
					return err
				}
			}
		}
		l.From = next
	}
	return nil
}

// attempt sends an attempt and what it printed, unless that was sent while it ran.
func (l *Log) attempt(a store.Attempt) error {
	sent := shape.AttemptOf(a)
	output := sent.Output
	if output != nil {
		sent.Output = &shape.Output{Status: output.Status, Headers: output.Headers}
	}
	if err := l.send(shape.LogLine{Attempt: &sent}); err != nil || a.Number == l.live {
		return err
	}
	for _, s := range output.Streams() {
		err := l.send(shape.LogLine{Output: &shape.Piece{Attempt: a.Number, Stream: s.Name, Text: s.Head}})
		if err == nil && s.Omitted > 0 {
			err = l.send(shape.LogLine{Output: &shape.Piece{Attempt: a.Number, Stream: s.Name, Omitted: s.Omitted, Text: s.Tail}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followBeat is how often an idle log sends a blank line.
const followBeat = 15 * time.Second

// follow sends the attempts, each while it runs, until the run has ended.
func (l *Log) follow(ctx context.Context) error {
	runner, commits := l.Runner, l.Commits
	changes := commits.Subscribe(64)
	defer func() { changes.Unsubscribe() }()
	// A transaction decides when it begins whether its commit names the runs: those that were open at the subscription have ended after the ping.
	if err := l.Store.Ping(ctx); err != nil {
		return err
	}
	beat := time.NewTicker(followBeat)
	defer beat.Stop()
	for {
		var begun <-chan struct{}
		var p tasks.Printing
		leave, prints := func() {}, false
		if runner != nil {
			begun, leave = runner.AwaitPrinting(l.ID) // before the run is read, so that nothing is missed
		}
		ended, err := l.past(ctx)
		if runner != nil {
			p, prints = runner.Printing(l.ID)
		}
		switch {
		case err != nil || ended:
		case prints && p.Attempt >= l.From && p.Attempt > l.live:
			err = l.running(ctx, p, beat.C)
		case prints: // it is over, but not settled yet
			err = l.wait(ctx, nil, changes, beat.C)
		default:
			err = l.wait(ctx, begun, changes, beat.C)
		}
		leave()
		if errors.Is(err, events.ErrLagged) {
			changes = commits.Subscribe(64)
			err = cmp.Or(changes.Err(), l.Store.Ping(ctx))
		}
		if err != nil || ended {
			return err
		}
	}
}

// past sends the attempts that have ended, and the run if it has.
func (l *Log) past(ctx context.Context) (ended bool, err error) {
	run, err := search.Run(ctx, l.Store, l.ID)
	if err != nil {
		return false, err
	}
	last := run.Attempt
	if run.State == store.Running {
		last--
	}
	if err := l.stored(ctx, last); err != nil {
		return false, err
	}
	if run.State.Ended() {
		return true, l.end(ctx, run)
	}
	return false, l.flush.Flush()
}

// lookAgain is how often a run is read when no commit has reported it: another daemon may have changed it, whose report was lost.
const lookAgain = time.Second

// wait waits until an attempt begins or the run changes, or may have.
func (l *Log) wait(ctx context.Context, begun <-chan struct{}, changes *events.Subscription[store.Commit], beat <-chan time.Time) error {
	again := time.NewTimer(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			return nil
		case <-begun:
			return nil
		case c, ok := <-changes.C():
			if !ok {
				return changes.Err()
			}
			for i := range c.Runs {
				if c.Runs[i].ID == l.ID {
					return nil
				}
			}
		case <-beat:
			if err := l.blank(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Log) blank() error {
	if _, err := l.W.Write([]byte("\n")); err != nil {
		return err
	}
	return l.flush.Flush()
}

// running sends what a running attempt prints, until its end.
func (l *Log) running(ctx context.Context, p tasks.Printing, beat <-chan time.Time) error {
	l.live = p.Attempt
	if err := l.send(shape.LogLine{Attempt: &shape.Attempt{Attempt: p.Attempt, State: store.Running.String(), StartedAt: p.Since.UTC()}}); err != nil {
		return err
	}
	f := p.Capture.Follow()
	defer f.Close()
	for {
		if err := l.flush.Flush(); err != nil {
			return err
		}
		pieces, err := f.Next(ctx, beat)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && pieces == nil {
			err = l.blank()
		}
		if err != nil {
			return err
		}
		for _, piece := range pieces {
			if err := l.send(shape.LogLine{Output: &shape.Piece{Attempt: p.Attempt, Stream: piece.Stream, Text: piece.Text, Omitted: piece.Omitted}}); err != nil {
				return err
			}
		}
	}
}
