package cmd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// killer is an outside action that kills its daemon on some events, and waits on others while a file is missing.
type killer struct {
	*act
	dir string
}

func (k killer) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	if _, err := k.act.Do(ctx, d); err != nil {
		return nil, err
	}
	if strings.HasPrefix(d.Event.ID, "kill") {
		killProcess(os.Getpid())
		select {}
	}
	for _, err := os.Stat(filepath.Join(k.dir, "go")); strings.HasPrefix(d.Event.ID, "wait") && err != nil && ctx.Err() == nil; _, err = os.Stat(filepath.Join(k.dir, "go")) {
		pauseFor(ctx, 5*time.Millisecond)
	}
	return nil, nil
}

func init() {
	wirings["killer"] = func(dir string) []*tasks.Handler {
		return []*tasks.Handler{{Name: "h", On: only("a.b"), Kind: "x", Action: killer{newAct(dir), dir}, Concurrency: 1, Retry: soon(2)}}
	}
}

// emitAll publishes events with these ids.
func (d *daemon) emitAll(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := d.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: id, Source: "/test", Data: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
}

// claimsAheadOverKills kills a daemon while an attempt runs and the next one is claimed. The one that ran counts as failed, the other one doesn't
// count, and no event is lost.
func claimsAheadOverKills(t *testing.T) {
	proof(t)
	t.Parallel()
	dir := wired(t, "log: {level: error}\n")
	env := []string{proofHandlers + "=killer"}
	d := serve(t, dir, env)
	d.ready(t)
	d.emitAll(t, "wait-1", "2", "3", "4")
	l := openLedger(t, dir)
	eventuallyTrue(t, "the second run is claimed", func() (bool, string) {
		n := l.number(t, `SELECT count(*) FROM runs WHERE state = 1 AND attempt = 1 AND budget = (sequence = 2)`)
		return n == 2, fmt.Sprint(n)
	})
	d.kill(t)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d = serve(t, dir, env)
	d.ready(t)
	l.settled(t, "h", "a.b")
	l.recorded(t)
	for seq, want := range map[int64][3]int64{1: {2, 0, 1}, 2: {2, 1, 1}, 3: {1, 0, 0}, 4: {1, 0, 0}} { // attempt, budget, history
		got := [3]int64{
			l.number(t, `SELECT attempt FROM runs WHERE state = 3 AND sequence = ?`, seq), l.number(t, `SELECT budget FROM runs WHERE sequence = ?`, seq),
			l.number(t, `SELECT count(*) FROM attempts WHERE sequence = ?`, seq),
		}
		if got != want {
			t.Errorf("#%d: attempt, budget and failed attempts are %v, want %v", seq, got, want)
		}
	}
	l.none(t, "of the second event's first attempt", `SELECT error FROM attempts WHERE sequence = 2 AND error NOT LIKE '%may not have begun%'`)
	l.none(t, "of the first event's first attempt", `SELECT error FROM attempts WHERE sequence = 1 AND error NOT LIKE '%while this attempt ran'`)
	d.stop(t)
}

// commandThatKillsItsDaemon: its run ends as dead, although its first attempt may have been claimed ahead; the events around it succeed.
func commandThatKillsItsDaemon(t *testing.T) {
	proof(t)
	t.Parallel()
	dir := wired(t, "log: {level: error}\n")
	env := []string{proofHandlers + "=killer"}
	d := serve(t, dir, env)
	d.ready(t)
	d.emitAll(t, "wait-1", "2", "kill-3", "4", "kill-5")
	l := openLedger(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kills := 0
	for over := false; !over; {
		over = true
		eventuallyTrue(t, "the runs end, or the daemon does", func() (bool, string) {
			select {
			case <-d.ended:
				over = false
				return true, ""
			default:
			}
			n := l.number(t, `SELECT count(*) FROM runs WHERE state IN (3, 5)`)
			return n == 5, fmt.Sprint(n, " runs are over")
		})
		if kills++; kills > 10 {
			t.Fatal("the daemon is killed again and again")
		}
		if !over {
			d = serve(t, dir, env)
		}
	}
	d.ready(t)
	l.recorded(t)
	for seq := int64(1); seq <= 5; seq++ {
		want := store.Succeeded
		if seq == 3 || seq == 5 {
			want = store.Dead
		}
		state, counted := l.number(t, `SELECT state FROM runs WHERE sequence = ?`, seq), l.number(t, `SELECT attempt - budget FROM runs WHERE sequence = ?`, seq)
		if store.RunState(state) != want || want == store.Dead && counted != 2 {
			t.Errorf("#%d is %v after %d attempts that count", seq, store.RunState(state), counted)
		}
	}
	l.none(t, "runs with more attempts than one that doesn't count", `SELECT sequence FROM runs WHERE budget > 1 OR attempt > 3`)
	d.stop(t)
}
