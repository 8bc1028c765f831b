package cmd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/taskstest"
)

func init() {
	wirings["dead"] = func(dir string) []*tasks.Handler {
		return []*tasks.Handler{{Name: "pay", On: only("order.placed"), Kind: "x", Action: insideFunc(func(*tasks.Delivery) (tasks.Effect, error) {
			return tasks.Effect{}, tasks.Permanent(errors.New("still broken"))
		})}}
	}
}

// deadRunsAreRetriedOnce retries many dead runs, which die again at once: first all in one go, then with an interrupt of the command and a kill of
// the daemon in the middle. Each time each run gets exactly one attempt more. The time of the command, and how long events that are published
// meanwhile wait for their acknowledgement, are logged: under 10 s for 100,000 runs.
//
// EVRUN_DEAD is how many runs; 10,000, and 20,000 in .ci/run.
func deadRunsAreRetriedOnce(t *testing.T) {
	proof(t)
	t.Parallel()
	n := storetest.Size(t, "EVRUN_DEAD", 10_000, 20_000)
	dir := wired(t, "log: {level: error, format: json}\nserver: {grace: 5s}\nhandlers: []\n")
	deadRuns(t, filepath.Join(dir, "evrun.db"), n)
	env := []string{proofHandlers + "=dead"}
	d := serve(t, dir, env)
	d.ready(t)
	l := openLedger(t, dir)
	died := func(attempt int) {
		t.Helper()
		within(t, time.Minute+time.Duration(n)*time.Millisecond, "all have died again", func() (bool, string) {
			pauseFor(t.Context(), 50*time.Millisecond)
			dead := l.number(t, `SELECT count(*) FROM runs WHERE state = 5 AND attempt = ?`, attempt)
			return dead == int64(n), fmt.Sprintf("%d of %d died of attempt %d", dead, n, attempt)
		})
		l.none(t, "an attempt too many", `SELECT sequence, attempt FROM runs WHERE attempt != ?`, attempt)
	}

	emits := emitting(t, d)
	began := time.Now()
	out, code := run(t, dir, "runs", "retry", "--handler", "pay", "--yes", "-q")
	took := time.Since(began)
	p50, p99 := emits()
	if want := fmt.Sprintf("%d retried\n", n); code != 0 || out != want {
		t.Fatalf("exit %d: %s, want %s", code, out, want)
	}
	died(2)
	t.Logf("%d dead runs: retried in %v; one event at a time meanwhile: p50 %v, p99 %v; all died again after %v; peak %d MB",
		n, took.Round(time.Millisecond), p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond), time.Since(began).Round(time.Millisecond), d.peak(t)>>20)
	if peak := d.peak(t); peak > maxResident {
		t.Errorf("the daemon had %d MB in memory", peak>>20)
	}

	// The command is interrupted in the middle, then the daemon is killed there.
	c, text := begun(t, dir, "runs", "retry", "--handler", "pay", "--yes", "-q")
	id := midway(t, l, n/4)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	stopped(t, c, text, 130, id)
	c, text = begun(t, dir, "runs", "retry", "--resume", id)
	midway(t, l, n/2)
	d.kill(t)
	stopped(t, c, text, 69, id)
	done := l.number(t, `SELECT done FROM batches WHERE id = ?`, id)
	if changed := l.number(t, `SELECT changed FROM batches WHERE id = ?`, id); changed != done {
		t.Errorf("%d of %d done are changed", changed, done)
	}
	d = serve(t, dir, env)
	d.ready(t)
	out, code = run(t, dir, "runs", "retry", "--resume", id, "-q")
	if want := fmt.Sprintf("%d retried\n", n); code != 0 && done < int64(n) || code == 0 && out != want {
		t.Errorf("exit %d: %s, want %s", code, out, want)
	}
	died(3)
	d.stop(t)
}

// deadRuns makes a store with n dead runs of handler pay.
func deadRuns(t *testing.T, path string, n int) {
	t.Helper()
	s, stop := taskstest.OpenStore(t, path, sqlite.Options{})
	defer stop()
	known, err := s.Register(t.Context(), []store.Registration{{Name: "pay", On: only("order.placed")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for made := 0; made < n; {
		evs := make([]*events.Event, min(1000, n-made))
		for i := range evs {
			evs[i] = &events.Event{ID: fmt.Sprint(made + i), Source: "/shop", Type: "order.placed", Time: time.Now(), Data: fmt.Appendf(nil, `{"order":%d}`, made+i)}
		}
		if _, err := s.Append(t.Context(), evs); err != nil {
			t.Fatal(err)
		}
		b := store.SettleBatch{Marks: []store.Mark{{Handler: known[0].ID, LowWater: evs[len(evs)-1].Sequence}}}
		for _, e := range evs {
			b.Settlements = append(b.Settlements, store.Settlement{Event: e, Handler: known[0].ID, Attempt: 1, Started: time.Now(),
				Outcome: store.Outcome{State: store.Dead, Error: "the shop is down"}})
		}
		if _, err := s.Settle(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		made += len(evs)
	}
}

// emitting publishes one event after the other until its result is called, which returns how long they waited for their acknowledgements.
func emitting(t *testing.T, d *daemon) func() (p50, p99 time.Duration) {
	ctx, stop := context.WithCancel(t.Context())
	var took []time.Duration
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			if _, err := d.client.Emit(t.Context(), &events.Event{Type: "nobody.listens", Source: "/test"}); err != nil {
				t.Errorf("emit: %v", err)
				return
			}
			took = append(took, time.Since(began))
		}
	})
	return func() (p50, p99 time.Duration) {
		stop()
		wg.Wait()
		if slices.Sort(took); len(took) == 0 {
			return 0, 0
		}
		return took[len(took)/2], took[len(took)*99/100]
	}
}

// midway waits until so many runs of the batch that began last are done, and returns its id.
func midway(t *testing.T, l *ledger, done int) (id string) {
	t.Helper()
	eventuallyTrue(t, "the batch has come that far", func() (bool, string) {
		err := l.db.QueryRow(`SELECT id FROM batches WHERE action = 'retry' AND done >= ? AND started_at = (SELECT max(started_at) FROM batches) AND total > 0
			AND (SELECT count(*) FROM batches) > 1`, done).Scan(&id)
		return err == nil, fmt.Sprint(err)
	})
	return id
}

// stopped waits for the end of a command whose batch was stopped, and checks that it says how to continue. It may have come to its end before.
func stopped(t *testing.T, c *exec.Cmd, text *bytes.Buffer, code int, id string) {
	t.Helper()
	err := c.Wait()
	got := c.ProcessState.ExitCode()
	if got == 0 {
		t.Logf("the batch had ended before it was stopped: %s", text)
		return
	}
	hint := regexp.MustCompile(`\d+ of \d+ runs are done, \d+ retried\n  hint: evrun runs retry --resume ` + id + ` does the rest`)
	if got != code || !hint.MatchString(text.String()) {
		t.Errorf("%v, exit %d, want %d: %s", err, got, code, text)
	}
}
