package wiringtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/config"
)

// outcome runs the only test of a file, and writes what came of it on one line.
func outcome(t *testing.T, file string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evrun.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, config.Options{Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	r := Run(t.Context(), cfg, cfg.Wiring.Tests[0], slog.New(slog.DiscardHandler))
	if r.Err != nil {
		return "error: " + strings.ReplaceAll(r.Err.Error(), path, "evrun.yaml")
	}
	var all []string
	for _, d := range r.Differences {
		all = append(all, fmt.Sprintf("%s: %s, not %s", d.What, d.Got, d.Expected))
	}
	return strings.Join(all, "; ")
}

const wiring = `
handlers:
  - {name: tell, on: a.b, do: notify, with: {message: "n is ${ data.n }"}, retry: {attempts: 3}, emit: a.told}
  - {name: again, on: a.told, do: emit, with: {type: a.end, data: {n: "${ data.x }"}}}
  - {name: save, on: a.user, do: user.insert, with: {name: "${ data.name }", email: "${ data.email }"}}
  - {name: rest, on: ">", from: start, do: log, when: 'event.type startsWith "never"', with: {message: x}}
schedules:
  - {name: hourly, every: 1h, emit: a.slot, data: {number: "${ slot.number }", at: "${ slot.time }"}}
tests:
- name: x
`

func TestOutcomes(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"a stub's result is emitted, and on it goes": {`
  given: [{type: a.b, data: {n: 9007199254740993}}]
  stubs: {tell: {succeed: {x: 5}}}
  expect:
    runs: [{handler: tell, attempts: 1, with: {message: n is 9007199254740993}}, {handler: again, type: a.told}, {handler: rest}, {handler: rest}, {handler: rest}]
    events: [{type: a.end, data: {n: 5}}, {type: a.told, data: {x: 5}}]`, ""},
		"attempts follow each other without a wait": {`
  given: [{type: a.b, data: {n: 1}}]
  stubs: {tell: [{fail: one}, {fail: two}, {fail: three}]}
  expect:
    runs: [{handler: tell, state: dead, attempts: 3, error: three}, {handler: rest}, {handler: rest, type: evrun.run.dead}]
    events: [{type: evrun.run.dead, data: {error: three}}]`, ""},
		"a permanent failure is the last attempt": {`
  given: [{type: a.b, data: {n: 1}}]
  stubs: {tell: {fail: gone, permanent: true}}
  expect: {runs: [{handler: tell, state: dead, attempts: 1}, {handler: rest}, {handler: rest}]}`, ""},
		"an input that can't be rendered fails a stub as it would the real one": {`
  given: [{type: a.b, data: {}}]
  expect: {runs: [{handler: tell, state: succeeded}, {handler: rest}, {handler: rest}]}`,
			`run of tell: state: dead: message: data.n is nil, so it can't be written into a text; ${ data.n ?? "…" } gives it a default, not "succeeded"`},
		"slots are counted from the clock": {`
  clock: 2026-01-01T00:30:00Z
  given: [{schedule: hourly}, {schedule: hourly, at: 2026-01-01T02:00:00Z}, {schedule: hourly}]
  expect: {runs: [{handler: rest, type: a.slot}, {handler: rest, type: a.slot}]}`, ""},
		"users that are there before are no events": {`
  users: [{name: Ada, email: a@b.c, attributes: {x: 1}}]
  given: [{type: a.user, data: {name: Bob, email: b@b.c}}]
  expect:
    users: [{email: b@b.c}, {name: Ada, attributes: {x: 1}}]
    runs: [{handler: save}, {handler: rest}]
    events: []`, ""},
		"an event that is given twice counts once": {`
  given: [{type: a.user, id: one, data: {name: Bob, email: b@b.c}}, {type: a.user, id: one, data: {name: Bob, email: b@b.c}}]
  expect: {runs: [{handler: save}, {handler: rest}]}`, ""},
		"what is missing and what is too much": {`
  given: [{type: a.user, data: {name: Bob, email: b@b.c}}]
  expect: {users: [{name: Bob}, {email: x@y.z}], runs: [{handler: save, state: dead}]}`,
			`run of save: state: "succeeded", not "dead"; run of rest: {"attempts":1,"handler":"rest","state":"skipped","type":"a.user"}, not nothing; user x@y.z: nothing, not {"email":"x@y.z"}`},
		"an event that is refused": {`
  given: [{type: a.b, source: "not a uri %"}]
  expect: {runs: []}`, `error: evrun.yaml:11: source "not a uri %" is not a URI reference: write a path or a URI, such as /shop/checkout or urn:shop:checkout`},
		"an event that must be refused": {`
  given: [{type: a.known, data: {n: x}, refused: /n}]
  expect: {runs: []}
events: {a.known: {schema: {properties: {n: {type: integer}}}}}`, ""},
		"an event that is refused for another reason": {`
  given: [{type: a.known, data: {n: x}, refused: /m}]
  expect: {runs: []}
events: {a.known: {schema: {properties: {n: {type: integer}}}}}`, "error: evrun.yaml:11: the data doesn't fit the schema of a.known: /n: must be an integer, not the string \"x\""},
		"an event that should have been refused": {`
  given: [{type: a.b, data: {n: 1}, refused: no}]
  expect: {runs: []}`, "error: evrun.yaml:11: the event was accepted, but should have been refused: no"},
	} {
		t.Run(name, func(t *testing.T) {
			got := outcome(t, wiring+strings.TrimPrefix(test.file, "\n"))
			if got != test.want {
				t.Errorf("got:  %s\nwant: %s", got, test.want)
			}
		})
	}
}

// controlled has handlers whose controls would make a test long, were they taken as they are.
const controlled = `
handlers:
  - {name: digest, on: order.placed, do: notify, with: {message: "${ len(events) } orders, the first of ${ events[0].data.n }"},
     rate: 1/d, debounce: {wait: 1h, by: data.who, collect: all}, retry: {attempts: 2}, on_dead: {type: digest.lost, data: "${ map(events, #.data.n) }"}}
  - {name: split, on: cart, do: emit, with: {events: [{type: order.placed, data: {n: 1, who: a}}, {type: order.placed, data: {n: 2, who: a}}]}}
tests:
- name: x
`

func TestControls(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"what comes together is a burst of each key": {`
  given: [[{type: order.placed, data: {n: 1, who: a}}, {type: order.placed, data: {n: 2, who: b}}, {type: order.placed, data: {n: 3, who: a}}]]
  expect:
    runs:
      - {handler: digest, state: skipped}
      - {handler: digest, state: succeeded, with: {message: "2 orders, the first of 1"}}
      - {handler: digest, state: succeeded, with: {message: "1 orders, the first of 2"}}`, ""},
		"what comes one after the other is not": {`
  given: [{type: order.placed, data: {n: 1, who: a}}, {type: order.placed, data: {n: 2, who: a}}]
  expect: {runs: [{handler: digest, with: {message: "1 orders, the first of 1"}}, {handler: digest, with: {message: "1 orders, the first of 2"}}]}`, ""},
		"what one run emits is a burst": {`
  given: [{type: cart}]
  expect: {runs: [{handler: split}, {handler: digest, state: skipped}, {handler: digest, with: {message: "2 orders, the first of 1"}}]}`, ""},
		"a dead run tells of it": {`
  stubs: {digest: {fail: nobody answers}}
  given: [[{type: order.placed, data: {n: 1, who: a}}, {type: order.placed, data: {n: 2, who: a}}]]
  expect:
    runs: [{handler: digest, state: skipped}, {handler: digest, state: dead, attempts: 2, with: {message: "2 orders, the first of 1"}}]
    events: [{type: evrun.run.dead}, {type: digest.lost, data: [1, 2]}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outcome(t, controlled+strings.TrimPrefix(test.file, "\n")); got != test.want {
				t.Errorf("got:  %s\nwant: %s", got, test.want)
			}
		})
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if got := outcome(t, wiring+"  given: [{type: a.user, data: {name: Bob, email: b@b.c}}]\n  expect: {users: []}\n"); got == "" {
		t.Error("a user that nobody expects is no difference")
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if strings.HasPrefix(f.Name(), "evrun-test-") {
			t.Errorf("%s is left", f.Name())
		}
	}
}

func TestAnInterruptEndsATest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.yaml")
	if err := os.WriteFile(path, []byte(wiring+"  given: [{type: a.b, data: {n: 1}}]\n  expect: {events: []}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := Run(ctx, cfg, cfg.Wiring.Tests[0], slog.New(slog.DiscardHandler)); r.Err == nil {
		t.Error("it ended as if nothing were")
	}
}
