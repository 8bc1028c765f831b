package cmd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
)

type (
	outsideFunc func(ctx context.Context, d *tasks.Delivery) (any, error)
	insideFunc  func(d *tasks.Delivery) (tasks.Effect, error)
)

func (f outsideFunc) Do(ctx context.Context, d *tasks.Delivery) (any, error) { return f(ctx, d) }
func (f insideFunc) Prepare(d *tasks.Delivery) (tasks.Effect, error)         { return f(d) }

// Each panic is in its own function, whose name must be in the recorded stack.

func panicInPrepare(d *tasks.Delivery) { panic("prepare of " + d.Event.ID) }
func panicInEffect(d *tasks.Delivery)  { panic("effect on " + d.Event.ID) }
func panicOutside(d *tasks.Delivery)   { panic("action on " + d.Event.ID) }

// bomb panics when it is encoded, far from the handler's own code.
type bomb struct{ d *tasks.Delivery }

func (b bomb) MarshalJSON() ([]byte, error) { return panicInResult(b.d) }

func panicInResult(d *tasks.Delivery) ([]byte, error) { panic("result for " + d.Event.ID) }

func init() {
	wirings["panic"] = func(string) []*tasks.Handler {
		once := soon(1)
		typ, err := expression.CompileTemplate("panic.never", expression.Scope{})
		if err != nil {
			panic(err)
		}
		result := []emission.Entry{{Type: typ}}
		user := func(d *tasks.Delivery) *store.User {
			return &store.User{Name: d.Handler, Email: uuid.NewString() + "@example.com", EventID: d.Event.ID}
		}
		return []*tasks.Handler{
			{Name: "panic-in-prepare", On: only("panic"), Kind: "x", Retry: once, Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
				panicInPrepare(d)
				return tasks.Effect{}, nil
			})},
			{Name: "panic-in-effect", On: only("panic"), Kind: "x", Retry: once, Emit: result, Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
				return tasks.Effect{User: user(d), Stored: func(_ store.User, err error) (any, error) {
					if err != nil {
						return nil, err
					}
					panicInEffect(d)
					return nil, nil
				}}, nil
			})},
			{Name: "panic-in-result", On: only("panic"), Kind: "x", Retry: once, Emit: result, Action: insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
				return tasks.Effect{User: user(d), Stored: func(_ store.User, err error) (any, error) { return bomb{d}, err }}, nil
			})},
			{Name: "panic-outside", On: only("panic"), Kind: "x", Retry: once, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
				panicOutside(d)
				return nil, nil
			})},
			{Name: "panic-outside-result", On: only("panic"), Kind: "x", Retry: once, Emit: result, Action: outsideFunc(func(_ context.Context, d *tasks.Delivery) (any, error) {
				return bomb{d}, nil
			})},
			{Name: "tally", On: only("panic"), Kind: "tally", Action: tally{}},
		}
	}
	wirings["hang"] = func(dir string) []*tasks.Handler {
		a := newAct(dir)
		return []*tasks.Handler{
			{Name: "hang", On: only("hang"), Kind: "x", Timeout: 50 * time.Millisecond, Concurrency: 2, Action: outsideFunc(func(ctx context.Context, d *tasks.Delivery) (any, error) {
				if _, err := os.Stat(filepath.Join(dir, "mended")); err != nil {
					select {} // ignores ctx
				}
				return a.Do(ctx, d)
			})},
			{Name: "tally", On: only("hang"), Kind: "tally", Action: tally{}},
		}
	}
}

// panicsAreOneRunsEnd: 1,000 events panic at every point where a handler's code, or a value that it returned, runs: in an inside handler's
// preparation, in its effect after it has written, in the encoding of its result, in an outside handler and in that one's result. Each run ends dead
// with its stack recorded, its writes are undone, and the daemon and the other handler continue.
func panicsAreOneRunsEnd(t *testing.T) {
	proof(t)
	t.Parallel()
	const n = 1000
	dir := wired(t, `
log: {level: error}
handlers:
  - {name: bad-when, on: panic, when: int(data.text) > 1, do: log, with: {message: x}, retry: {attempts: 1}}
  - {name: bad-with, on: panic, do: log, with: {message: "${ data.text.no.such[7] }"}, retry: {attempts: 1}}
`)
	d := serve(t, dir, []string{proofHandlers + "=panic"})
	d.ready(t)
	for i := range n {
		if _, err := d.client.Emit(t.Context(), &events.Event{Type: "panic", ID: fmt.Sprint(i), Source: "/proof", Data: []byte(`{"text":"none"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	l := openLedger(t, dir)
	for name, frame := range map[string]string{
		"panic-in-prepare": "panicInPrepare", "panic-in-effect": "panicInEffect", "panic-in-result": "panicInResult",
		"panic-outside": "panicOutside", "panic-outside-result": "panicInResult", "bad-when": "", "bad-with": "",
	} {
		if succeeded, dead := l.settled(t, name, "panic"); succeeded != 0 || dead != n {
			t.Errorf("%s: %d succeeded, %d are dead", name, succeeded, dead)
		}
		l.none(t, name+": its error has no stack", `SELECT r.sequence, r.error FROM runs r JOIN handlers h ON h.id = r.handler
			WHERE h.name = ? AND (r.error IS NULL OR instr(r.error, ?) = 0)`, name, frame)
	}
	if succeeded, _ := l.settled(t, "tally", "panic"); succeeded != n {
		t.Errorf("the handler beside them has %d of %d", succeeded, n)
	}
	l.tallied(t, "tally", 0)
	l.none(t, "what a handler wrote before it panicked", `SELECT name, event_id FROM users WHERE name <> 'tally'`)
	d.stop(t)
	l.whole(t)
}

// hungHandlerHoldsUpNobody: an outside handler never returns, even after its context has ended. The handlers beside
// it go on; the daemon stops all the same once its grace period is over, with an error that names the handler; and at the
// next start its runs count as attempts that failed: they are tried again.
func hungHandlerHoldsUpNobody(t *testing.T) {
	storetest.LongOnly(t)
	t.Parallel()
	const n = 20
	dir := wired(t, "server: {grace: 1s}\nhandlers: []\n")
	env := []string{proofHandlers + "=hang"}
	d := serve(t, dir, env)
	d.ready(t)
	for i := range n {
		if _, err := d.client.Emit(t.Context(), &events.Event{Type: "hang", ID: fmt.Sprint(i), Source: "/proof"}); err != nil {
			t.Fatal(err)
		}
	}
	l := openLedger(t, dir)
	if succeeded, _ := l.settled(t, "tally", "hang"); succeeded != n {
		t.Errorf("the handler beside it has %d of %d", succeeded, n)
	}
	if running := l.number(t, `SELECT count(*) FROM runs WHERE state = 1 AND budget < attempt`); running != 2 { // others may be claimed ahead
		t.Errorf("%d runs hang, not 2", running)
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := d.code(t); code != exitFailed || !strings.Contains(d.log.String(), "handler hang") {
		t.Errorf("exit %d, not %d:\n%s", code, exitFailed, d.log)
	}

	if err := os.WriteFile(filepath.Join(dir, "mended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d = serve(t, dir, env)
	d.ready(t)
	if succeeded, _ := l.settled(t, "hang", "hang"); succeeded != n {
		t.Errorf("%d of %d succeeded after all", succeeded, n)
	}
	if again := l.number(t, `SELECT count(*) FROM runs r JOIN handlers h ON h.id = r.handler WHERE h.name = 'hang' AND r.attempt = 2`); again != 2 {
		t.Errorf("%d runs took a second attempt, not the 2 that hung", again)
	}
	l.none(t, "what is kept of an attempt that hung", `SELECT error FROM attempts WHERE error NOT LIKE '%stopped or killed while this attempt ran%'`)
	d.stop(t)
}
