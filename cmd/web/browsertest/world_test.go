package browsertest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/search"
)

// shop is a daemon with some of everything: what a page can show, it has.
type shop struct {
	*daemon
	order int64  // the event of an order that was paid and shipped
	dead  string // a dead run
	runs  string // a running run
}

const shopWiring = `
store: evrun.db
server: {socket: evrun.sock, listen: "LISTEN", watch: false}
defaults: {retry: {attempts: 2, backoff: 10ms}}
events:
  order.placed:
    description: Somebody ordered something in the shop.
    schema:
      type: object
      required: [order, total]
      properties:
        order: {type: integer, minimum: 1, description: The number of the order.}
        total: {type: number, minimum: 0}
        city: {type: string, enum: [Paris, Lyon, Nowhere]}
        gift: {type: boolean}
        lines: {type: array, items: {type: object, properties: {article: {type: string}, count: {type: integer}}}}
  order.shipped: {description: A parcel has left., final: true}
schedules:
  - {name: nightly, cron: "30 2 * * *", timezone: Europe/Paris, emit: backup.due}
  - {name: report, daily: "09:00", emit: report.due}
  - {name: digest, weekly: "MON 09:00", timezone: America/New_York, emit: digest.due, description: What happened last week., labels: {team: news}}
  - {name: pulse, every: 1h, emit: pulse.due}
  - {name: rest, every: 10m, emit: pulse.due, paused: true}
hooks:
  - {name: github, verify: {scheme: token, header: X-Token, secret: not-a-secret-of-anybody}, type: github.push, description: Pushes.}
handlers:
  - name: charge
    description: Asks the bank for the money.
    labels: {team: payments}
    on: order.placed
    do: exec
    with:
      shell: 'echo "asking the bank for $TOTAL"; if [ "$TOTAL" -gt 900 ]; then echo "card declined: insufficient funds" >&2; exit 2; fi; echo "{\"paid\": true}" >result'
      env: {TOTAL: "${ data.total }"}
      result: none
    emit: {type: order.paid, data: "${ data }"}
  - name: ship
    on: order.paid
    when: data.city != "Nowhere" and data.total >= 10
    do: log
    with: {message: "order ${ data.order } goes to ${ data.city }"}
    emit: {type: order.shipped, data: {order: "${ data.order }"}}
  - {name: save-user, on: user.registered, do: user.insert, emit: user.created, concurrency: 1}
  - {name: tell-crm, on: user.created, do: http, with: {url: "http://127.0.0.1:1/users"}}
  - {name: make-report, on: report.due, do: exec, with: {shell: 'echo begun; sleep 600'}, timeout: 20m}
  - {name: back-up, on: backup.due, do: log, with: {message: "backed up"}}
  - {name: pulse, on: pulse.>, do: log, with: {message: "pulse"}, enabled: false}
  - {name: note-push, on: github.push, do: log, with: {message: "pushed"}}
  - {name: alert, on: evrun.run.dead, do: log, with: {message: "${ data.handler }: ${ data.error }"}}
`

// openShop starts the daemon of a shop, and has it do its work.
func openShop(t *testing.T) *shop {
	t.Helper()
	return openShopWith(t, "")
}

// openShopWith starts it with more handlers.
func openShopWith(t *testing.T, handlers string) *shop {
	t.Helper()
	browser(t) // where there is none, nothing else needs to be done
	s := &shop{daemon: serve(t, shopWiring+strings.TrimPrefix(handlers, "\n"))}
	for i := range 30 {
		city := []string{"Paris", "Lyon", "Nowhere"}[i%3]
		total := 5 + i*7
		if i%6 == 5 {
			total = 1000 + i
		}
		seq := s.emit("order.placed", fmt.Sprintf(`{"order": %d, "total": %d, "city": %q, "gift": %t, "lines": [{"article": "Book %d", "count": %d}]}`, i+1, total, city, i%2 == 0, i, 1+i%3),
			func(e *events.Event) { e.Subject = "order/" + strconv.Itoa(i+1) })
		if i == 3 {
			s.order = seq
		}
	}
	for i, name := range []string{"Ada Lovelace", "Grace Hopper", "Alan Turing", "Katherine Johnson"} {
		s.emit("user.registered", fmt.Sprintf(`{"name": %q, "email": "visitor-%d@example.com"}`, name, i))
	}
	s.emit("page.viewed", `{"path": "/"}`)
	for _, name := range []string{"nightly", "report", "digest"} {
		if _, err := s.Fire(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PauseHandler(t.Context(), "note-push", "their server is being moved"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateToken(t.Context(), api.TokenRequest{Name: "ci", Rights: []string{"read", "emit github.>"}}); err != nil {
		t.Fatal(err)
	}
	s.settled("make-report", "pulse")
	s.dead = s.firstRun("charge", "dead")
	s.until("the report is being made", func() (bool, string) {
		s.runs = s.findRun("make-report", "running")
		return s.runs != "", ""
	})
	return s
}

// findRun returns the id of the newest run of a handler in a state; empty: there is none.
func (d *daemon) findRun(handler, state string) string {
	d.t.Helper()
	runs, _, err := d.Runs(context.Background(), search.Selection{Handler: handler, States: []string{state}}, api.Paging{Limit: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(runs) == 0 {
		return ""
	}
	return runs[0].ID
}

func (d *daemon) firstRun(handler, state string) string {
	d.t.Helper()
	id := d.findRun(handler, state)
	if id == "" {
		d.t.Fatalf("%s has no run that is %s", handler, state)
	}
	return id
}

// view is a page of the dashboard, as all tests of pages see it.
type view struct {
	name  string
	path  string
	open  bool   // whoever isn't signed in sees it
	right string // that it needs; default: read

	complaint string // of the browser, which is expected
}

// views are all pages of the shop.
func (s *shop) views() []view {
	return []view{
		{name: "overview", path: "/"},
		{name: "handlers", path: "/handlers"},
		{name: "handler", path: "/handlers/charge"},
		{name: "handler-paused", path: "/handlers/note-push"},
		{name: "live", path: "/live"},
		{name: "events", path: "/events"},
		{name: "events-none", path: "/events?type=none.such"},
		{name: "event", path: "/events/" + strconv.FormatInt(s.order, 10)},
		{name: "emit", path: "/emit?type=order.placed"},
		{name: "runs", path: "/runs"},
		{name: "runs-dead", path: "/runs?state=dead"},
		{name: "run-dead", path: "/runs/" + s.dead},
		{name: "run-running", path: "/runs/" + s.runs},
		{name: "batches", path: "/batches"},
		{name: "schedules", path: "/schedules"},
		{name: "schedules-next", path: "/schedules?view=next"},
		{name: "schedule", path: "/schedules/nightly"},
		{name: "wiring", path: "/wiring"},
		{name: "wiring-part", path: "/wiring?focus=charge"},
		{name: "wiring-files", path: "/wiring/files", right: "admin"},
		{name: "what-if", path: "/wiring/what-if", right: "admin"},
		{name: "hook", path: "/wiring/hooks/github"},
		{name: "users", path: "/users"},
		{name: "user", path: "/users/visitor-0@example.com"},
		{name: "audit", path: "/audit"},
		{name: "settings", path: "/settings"},
		{name: "no-such-event", path: "/events/987654321", complaint: "status of 404"},
		{name: "sign-in", path: "/sign-in", open: true, complaint: "status of 401"},
	}
}
