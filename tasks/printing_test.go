package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/expression"
)

// printer makes an action that prints which attempt it is, and then does something.
type printer func(ctx context.Context, d *tasks.Delivery, out io.Writer) error

func (printer) Prints() string { return "what a test prints" }

func (p printer) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	c := d.Capture(secret())
	out := c.Stream("stdout")
	fmt.Fprintf(out, "attempt %d of s3cr3t\n", d.Attempt)
	err := p(ctx, d, out)
	c.SetStatus("over")
	return nil, err
}

// What a printer does after it has printed.
var (
	nothingMore printer = func(context.Context, *tasks.Delivery, io.Writer) error { return nil }
	untilItEnds printer = func(ctx context.Context, _ *tasks.Delivery, _ io.Writer) error {
		<-ctx.Done()
		return ctx.Err()
	}
)

var secret = sync.OnceValue(func() *expression.Secrets {
	s := &expression.Secrets{}
	s.Add("s3cr3t")
	return s
})

// story returns the attempts of a run, a line each.
func (d *daemon) story(run string) []string {
	d.t.Helper()
	list, err := d.store.Attempts(context.Background(), store.AttemptQuery{Run: run})
	if err != nil {
		d.t.Fatal(err)
	}
	var story []string
	for _, a := range list {
		line := fmt.Sprint(a.Number, " ", a.State, " ")
		if a.Output != nil {
			line += fmt.Sprint(a.Output.Status, " ", a.Output.Streams[0].Head)
		}
		story = append(story, strings.TrimRight(line, "\n")+"|"+a.Error)
	}
	return story
}

func (d *daemon) wantStory(run string, want ...string) {
	d.t.Helper()
	if got := d.story(run); !slices.Equal(got, want) {
		d.t.Errorf("the attempts of %s:\n%s\nwant:\n%s", run, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEveryAttemptKeepsItsOutput(t *testing.T) {
	work := printer(func(ctx context.Context, d *tasks.Delivery, _ io.Writer) error {
		switch d.Attempt {
		case 1:
			return errors.New("failed")
		case 2:
			<-ctx.Done()
			return ctx.Err()
		case 3:
			panic("oh")
		}
		return nil
	})
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a.b"), Action: work, Timeout: 50 * time.Millisecond, Retry: tasks.Retry{Attempts: 9, Backoff: 1, Max: 1}},
		&tasks.Handler{Name: "none", On: on("a.b"), Action: nothingMore, KeepOutput: capture.None})
	e := d.emit("a.b", "1")
	d.settled(2)
	story := d.story(store.RunID(e.Sequence, "h", d.store.ID()))
	if len(story) == 4 {
		story[2], _, _ = strings.Cut(story[2], "\n") // the stack
	}
	want := []string{
		"1 retrying over attempt 1 of [secret]|failed",
		"2 retrying over attempt 2 of [secret]|no answer within the timeout of 50ms: context deadline exceeded",
		"3 retrying  attempt 3 of [secret]|panic: oh",
		"4 succeeded over attempt 4 of [secret]|",
	}
	if !slices.Equal(story, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(story, "\n"), strings.Join(want, "\n"))
	}
	d.wantStory(store.RunID(e.Sequence, "none", d.store.ID()))
}

// follow returns all that a run's attempt prints, from now on.
func follow(t *testing.T, d *daemon, run string) (lines func() string) {
	t.Helper()
	begun, leave := d.runner.AwaitPrinting(run)
	defer leave()
	<-begun
	p, ok := d.runner.Printing(run)
	if !ok {
		t.Fatal("the attempt is over")
	}
	f := p.Capture.Follow()
	t.Cleanup(f.Close)
	return func() (text string) {
		pieces, err := f.Next(t.Context(), nil)
		for _, p := range pieces {
			text += p.Text
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		return text
	}
}

func TestARunningAttemptIsFollowedToItsEnd(t *testing.T) {
	goOn := make(chan struct{})
	work := printer(func(_ context.Context, _ *tasks.Delivery, out io.Writer) error {
		<-goOn
		fmt.Fprint(out, "half of ")
		fmt.Fprint(out, "s3c")
		fmt.Fprint(out, "r3t")
		return nil
	})
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a.b"), Action: work})
	run := store.RunID(1, "h", d.store.ID())
	_, leave := d.runner.AwaitPrinting(run) // one that goes away before it begins
	leave()
	d.emit("a.b", "1")
	next := follow(t, d, run)
	first := next()
	close(goOn)
	if rest := next(); first != "attempt 1 of [secret]\n" || rest != "half of [secret]" || next() != "" {
		t.Errorf("got %q, %q", first, rest)
	}
	d.settled(1)
	if _, ok := d.runner.Printing(run); ok {
		t.Error("the attempt is still there")
	}
}

func TestAStoppedAttemptKeepsItsOutput(t *testing.T) {
	file := path(t)
	d := start(t, file, &tasks.Handler{Name: "h", On: on("a.b"), Action: untilItEnds})
	run := store.RunID(1, "h", d.store.ID())
	d.emit("a.b", "1")
	follow(t, d, run)
	d.stop()
	d = start(t, file, &tasks.Handler{Name: "h", On: on("a.b"), Action: nothingMore})
	d.settled(1)
	d.wantStory(run, "1 retrying over attempt 1 of [secret]|evrun is stopping: context canceled", "2 succeeded over attempt 2 of [secret]|")
}

func TestAKilledAttemptLeavesWhatItHadPrinted(t *testing.T) {
	defer tasks.SaveEvery(time.Millisecond)()
	file := path(t)
	d := start(t, file, &tasks.Handler{Name: "h", On: on("a.b"), Action: untilItEnds})
	run := store.RunID(1, "h", d.store.ID())
	d.emit("a.b", "1")
	follow(t, d, run)
	for len(d.story(run)) == 0 {
		wait(time.Millisecond)
	}
	d.wantStory(run, "1 running  attempt 1 of [secret]|")
	d.kill()
	d = start(t, file, &tasks.Handler{Name: "h", On: on("a.b"), Action: nothingMore})
	d.settled(1)
	story := d.story(run)
	if len(story) != 2 || !strings.HasPrefix(story[0], "1 retrying  attempt 1 of [secret]|") || story[1] != "2 succeeded over attempt 2 of [secret]|" {
		t.Errorf("got %q", story)
	}
}

// logged collects the lines of a log.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

func TestTheLogHasALineForEachAttempt(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
		log := &logged{}
		outside := outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
			if d.Attempt == 1 {
				return nil, errors.New("failed")
			}
			return nil, nil
		})
		d := startTuned(t, path(t), sqlite.Options{}, func(o *tasks.Options, _ store.Store) {
			o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
		}, &tasks.Handler{Name: "out", On: on("a.b"), Action: outside}, &tasks.Handler{Name: "in", On: on("a.b"), Action: saveUser})
		d.emit("a.b", "1")
		d.settled(2)
		d.stop()
		count := func(parts ...string) (n int) {
			for _, line := range log.lines {
				if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
					n++
				}
			}
			return n
		}
		inside := map[slog.Level]int{slog.LevelDebug: 1}[level]
		if count("attempt failed", "handler=out", "attempt=1", "took=") != 1 || count("level=INFO", "attempt succeeded", "handler=out", "attempt=2", "took=") != 1 ||
			count("level=DEBUG", "attempt succeeded", "handler=in", "took=") != inside || count("attempt succeeded") != 1+inside {
			t.Errorf("at level %v: %s", level, log.lines)
		}
	}
}

// A run that is cancelled before its attempt has begun has a line, and it has no attempt that took ages.
func TestTheLogOfARunThatHasNotBegun(t *testing.T) {
	log, action := &logged{}, newHolder()
	d := startTuned(t, path(t), sqlite.Options{}, func(o *tasks.Options, _ store.Store) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	}, &tasks.Handler{Name: "h", On: on("a"), Action: action, Concurrency: 1})
	first, second := d.emit("a", "1"), d.emit("a", "2")
	<-action.begun
	for deadline := time.Now().Add(hang); ; wait(time.Millisecond) { // until it is claimed ahead
		if _, err := d.store.FindRun(t.Context(), d.idOf(second)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	d.cancel(second)
	d.becomes(second, store.Cancelled)
	action.release <- struct{}{}
	d.becomes(first, store.Succeeded)
	d.stop()
	lines := slices.DeleteFunc(log.lines, func(line string) bool { return !strings.Contains(line, "run was cancelled") })
	if len(lines) != 1 || strings.Contains(lines[0], "took=") || strings.Contains(lines[0], "attempt=") {
		t.Errorf("%s", lines)
	}
}

func TestACancelledAttemptKeepsItsOutput(t *testing.T) {
	work := printer(func(ctx context.Context, _ *tasks.Delivery, _ io.Writer) error {
		<-ctx.Done()
		return errors.New("stopped")
	})
	d := start(t, path(t), &tasks.Handler{Name: "h", On: on("a.b"), Action: work})
	run := store.RunID(1, "h", d.store.ID())
	e := d.emit("a.b", "1")
	follow(t, d, run)
	d.cancel(e)
	d.settled(1)
	if story := d.story(run); len(story) != 1 || !strings.HasPrefix(story[0], "1 cancelled over attempt 1 of [secret]|") {
		t.Errorf("got %q", story)
	}
}
