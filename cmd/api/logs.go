package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/search"
)

type logsQuery struct {
	Attempt string `key:"attempt" doc:"A number, or all; the last attempt unless given."`
	Follow  bool   `key:"follow" doc:"Go on until the run has ended."`
}

// logs sends the log of a run as NDJSON, a [LogLine] each: that of its last attempt, of one (?attempt=N), or of all (?attempt=all). With ?follow=1
// it goes on, with each attempt that begins, until the run has ended; a blank line now and then keeps the connection. A reader that is slow loses a part,
// and a piece says how much.
func (s *Server) logs(w http.ResponseWriter, r *http.Request, q logsQuery) error {
	run, err := search.Newest(r.Context(), s.o.Store, r.PathValue("id"))
	if err != nil {
		return err
	}
	follow := q.Follow
	l := &runLog{s: s, w: w, flush: http.NewResponseController(w), id: run.ID}
	if l.from, l.to, err = wantedAttempts(q, run); err != nil {
		return err
	}
	switch {
	case follow && s.o.Daemon == nil && !run.State.Ended():
		return errNeedsDaemon
	case follow && s.o.Daemon != nil:
		release, err := s.following.take()
		if err != nil {
			return err
		}
		defer release()
	}
	w.Header().Set("Content-Type", ndjson.Type)
	w.WriteHeader(http.StatusOK)
	ctx, cancel := s.untilClose(r.Context())
	defer cancel()
	if follow && s.o.Daemon != nil {
		err = l.follow(ctx)
	} else {
		err = l.whole(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.o.Log.Debug("a run's log ended early", "run", run.ID, "error", err)
	}
	return nil // without the run at its end the reader knows that the log is not complete
}

// wantedAttempts reads which attempts of a run are asked for.
func wantedAttempts(q logsQuery, run store.Run) (from, to int, err error) {
	switch q.Attempt {
	case "":
		return max(run.Attempt, 1), run.Attempt, nil
	case "all":
		return 1, run.Attempt, nil
	}
	n, err := strconv.Atoi(q.Attempt)
	switch {
	case err != nil || n < 0:
		return 0, 0, problem(http.StatusBadRequest, "attempt: must be a number or all, not "+strconv.Quote(q.Attempt))
	case q.Follow:
		return 0, 0, problem(http.StatusBadRequest, "follow: the run is followed, not one attempt: leave attempt out, or say all")
	case n < 1 || n > run.Attempt:
		return 0, 0, problem(http.StatusNotFound, "run "+run.ID+" has no attempt "+q.Attempt+": it has had "+strconv.Itoa(run.Attempt))
	}
	return n, n, nil
}

// runLog sends the log of a run.
type runLog struct {
	s        *Server
	w        http.ResponseWriter
	flush    *http.ResponseController
	id       string
	from, to int // the attempts that are wanted; what is before from was sent
	live     int // the attempt whose output was sent while it ran; its end was not sent
}

func (l *runLog) send(line LogLine) error { return events.WriteJSON(l.w, line) }

// whole sends what there is now.
func (l *runLog) whole(ctx context.Context) error {
	if err := l.stored(ctx, l.to); err != nil {
		return err
	}
	run, err := search.Run(ctx, l.s.o.Store, l.id)
	if err != nil {
		return err
	}
	return l.end(ctx, run)
}

func (l *runLog) end(ctx context.Context, run store.Run) error {
	shape := l.s.told(ctx, run)
	return l.send(LogLine{Run: &shape})
}

// stored sends the attempts up to a number that were not sent, and what the running one has printed so far.
func (l *runLog) stored(ctx context.Context, upTo int) error {
	const page = 10
	for l.from <= upTo {
		next := min(l.from+page, upTo+1)
		list, err := l.s.attempts(ctx, store.AttemptQuery{Run: l.id, Before: next, Limit: page})
		if err != nil {
			return err
		}
		for _, a := range list {
			if a.Number >= l.from {
				if err := l.attempt(a); err != nil {
					return err
				}
			}
		}
		l.from = next
	}
	return nil
}

// attempt sends an attempt and what it printed, unless that was sent while it ran.
func (l *runLog) attempt(a store.Attempt) error {
	shape := shape.AttemptOf(a)
	output := shape.Output
	if output != nil {
		shape.Output = &Output{Status: output.Status, Headers: output.Headers}
	}
	if err := l.send(LogLine{Attempt: &shape}); err != nil || a.Number == l.live {
		return err
	}
	for _, s := range output.Streams() {
		err := l.send(LogLine{Output: &Piece{Attempt: a.Number, Stream: s.Name, Text: s.Head}})
		if err == nil && s.Omitted > 0 {
			err = l.send(LogLine{Output: &Piece{Attempt: a.Number, Stream: s.Name, Omitted: s.Omitted, Text: s.Tail}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// attempts reads attempts of a run. A running one has what it has printed so far, of which the daemon knows more than the store.
func (s *Server) attempts(ctx context.Context, q store.AttemptQuery) ([]store.Attempt, error) {
	var running *store.Attempt
	if s.o.Daemon != nil {
		if p, ok := s.o.Daemon.Runner.Printing(q.Run); ok && (q.Before == 0 || p.Attempt < q.Before) {
			running = &store.Attempt{Number: p.Attempt, StartedAt: p.Since, State: store.Running, Output: p.Capture.Output()}
		}
	}
	list, err := s.o.Store.Attempts(ctx, q)
	if err != nil || running == nil {
		return list, err
	}
	switch last := len(list) - 1; {
	case last >= 0 && list[last].Number == running.Number && list[last].State == store.Running:
		list[last] = *running
	case last < 0 || list[last].Number < running.Number:
		list = append(list, *running)
	}
	return list, nil
}

// followBeat is how often an idle log sends a blank line.
const followBeat = 15 * time.Second

// follow sends the attempts, each while it runs, until the run has ended.
func (l *runLog) follow(ctx context.Context) error {
	runner, commits := l.s.o.Daemon.Runner, l.s.o.Daemon.Commits
	changes := commits.Subscribe(64)
	defer func() { changes.Unsubscribe() }()
	// A transaction decides when it begins whether its commit names the runs: those that were open at the subscription have ended after the ping.
	if err := l.s.o.Store.Ping(ctx); err != nil {
		return err
	}
	beat := time.NewTicker(followBeat)
	defer beat.Stop()
	for {
		begun, leave := runner.AwaitPrinting(l.id) // before the run is read, so that nothing is missed
		ended, err := l.past(ctx)
		p, prints := runner.Printing(l.id)
		switch {
		case err != nil || ended:
		case prints && p.Attempt >= l.from && p.Attempt > l.live:
			err = l.running(ctx, p, beat.C)
		case prints: // it is over, but not settled yet
			err = l.wait(ctx, nil, changes, beat.C)
		default:
			err = l.wait(ctx, begun, changes, beat.C)
		}
		leave()
		if errors.Is(err, events.ErrLagged) {
			changes = commits.Subscribe(64)
			err = cmp.Or(changes.Err(), l.s.o.Store.Ping(ctx))
		}
		if err != nil || ended {
			return err
		}
	}
}

// past sends the attempts that have ended, and the run if it has.
func (l *runLog) past(ctx context.Context) (ended bool, err error) {
	run, err := search.Run(ctx, l.s.o.Store, l.id)
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

// wait waits until an attempt begins or the run changes.
func (l *runLog) wait(ctx context.Context, begun <-chan struct{}, changes *events.Subscription[store.Commit], beat <-chan time.Time) error {
	for {
		select {
		case <-begun:
			return nil
		case c, ok := <-changes.C():
			if !ok {
				return changes.Err()
			}
			for i := range c.Runs {
				if c.Runs[i].ID == l.id {
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

func (l *runLog) blank() error {
	if _, err := l.w.Write([]byte("\n")); err != nil {
		return err
	}
	return l.flush.Flush()
}

// running sends what a running attempt prints, until its end.
func (l *runLog) running(ctx context.Context, p tasks.Printing, beat <-chan time.Time) error {
	l.live = p.Attempt
	if err := l.send(LogLine{Attempt: &Attempt{Attempt: p.Attempt, State: store.Running.String(), StartedAt: p.Since.UTC()}}); err != nil {
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
			if err := l.send(LogLine{Output: &Piece{Attempt: p.Attempt, Stream: piece.Stream, Text: piece.Text, Omitted: piece.Omitted}}); err != nil {
				return err
			}
		}
	}
}
