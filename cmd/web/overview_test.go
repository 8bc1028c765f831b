package web_test

import (
	"net/http"
	"strings"
	"testing"
)

const overviewWiring = `
defaults: {retry: {attempts: 1}}
schedules:
  - {name: nightly, cron: "30 2 * * *", emit: backup.due}
  - {name: resting, every: 10m, emit: backup.due, paused: true}
handlers:
  - {name: charge, description: Asks <the> bank., labels: {team: payments}, on: order.placed, when: data.total > 1, do: exec, with: {command: [sh, -c, "echo card declined >&2; exit 3"]}}
  - {name: ship, on: "order.>", do: log, with: {message: x}, emit: order.shipped}
  - {name: back-up, on: backup.due, do: log, with: {message: x}, enabled: false}
`

// The overview says what is wrong first, with where it is mended; then what each handler does, and what comes next.
func TestTheOverviewSaysWhatIsWrongFirst(t *testing.T) {
	p := openPages(t, overviewWiring)
	p.says("/", 200, "the handler is disabled by the wiring file", "!Dead runs", "nightly", "!resting", "in ", `cron "30 2 * * *"`)
	p.emit("order.placed", `{"total":2}`)
	if _, err := p.PauseHandler(t.Context(), "ship", "its shelf is <full>"); err != nil {
		t.Fatal(err)
	}
	p.says("/", 200, "Dead runs charge 1 run is dead: exit code 3: card declined See them, retry or drop", "the handler is paused by", "its shelf is <full>", "Resume")
	_, source, _ := p.page("/")
	for _, want := range []string{`href="/runs?handler=charge&amp;state=dead"`, `data-post="/v1/handlers/ship/resume"`, `data-plots data-span="300" data-step="1"`} {
		if !strings.Contains(source, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(source, `data-post="/v1/handlers/back-up/resume"`) {
		t.Error("a handler that the file disables can be resumed by a button")
	}
	if dead, handlers := strings.Index(source, "Dead runs"), strings.Index(source, `id="handlers"`); dead < 0 || dead > handlers {
		t.Error("what is wrong is not first")
	}
	if _, source, _ := p.page("/?span=1d"); !strings.Contains(source, `data-span="86400" data-step="300"`) {
		t.Error("the URL doesn't choose the span of the plots")
	}
}

// Slots are at the time that the schedule's own clock shows, with the name of that clock; lists say whose clock it is.
func TestSlotsSayWhoseClockShowsThem(t *testing.T) {
	p := openPages(t, `
timezone: Asia/Tokyo
schedules:
  - {name: nightly, daily: "02:30", emit: backup.due}
  - {name: weekly, weekly: SUN 05:00, timezone: America/Phoenix, emit: backup.due}
  - {name: resting, every: 10m, paused: true, emit: backup.due}
handlers: [{name: back-up, on: backup.due, do: log, with: {message: x}}]
`)
	p.says("/", 200, "02:30 JST", "05:00 MST")
	p.says("/schedules", 200, "Times are those of Asia/Tokyo", "05:00 MST")
	p.says("/schedules?view=next&within=7d", 200, "Times are those of Asia/Tokyo")
	p.says("/schedules/weekly", 200, "Times those of America/Phoenix")
	if _, source, _ := p.page("/wiring"); !strings.Contains(source, `<a href="/schedules/nightly">nightly</a>`) || !strings.Contains(source, `<a href="/handlers/back-up">back-up</a>`) {
		t.Error("a type does not lead to who publishes and handles it")
	}
}

// Many problems of one kind are together.
func TestProblemsOfOneKindAreTogether(t *testing.T) {
	wiring := "defaults: {retry: {attempts: 1}}\nhandlers:\n"
	for _, name := range strings.Fields("a b c d e f g h i j k l") {
		wiring += "  - {name: h-" + name + ", on: x.y, do: exec, with: {command: [\"false\"]}}\n"
	}
	p := openPages(t, wiring)
	p.emit("x.y", `{}`)
	p.says("/", 200, "Dead runs 12 handlers See all dead runs h-a 1 run is dead", "4 more", "h-l")
}

func TestHandlersAreFiltered(t *testing.T) {
	p := openPages(t, overviewWiring)
	p.says("/handlers", 200, "charge", "ship", "back-up", "Handlers 3")
	p.says("/handlers?search=ORDER.", 200, "charge", "ship", "!back-up", "2 of 3")
	p.says("/handlers?search=bank", 200, "charge", "!back-up exec", "1 of 3")
	p.says("/handlers?health=disabled", 200, "1 of 3", "backup.due")
	p.says("/handlers?label=team%3Dpayments", 200, "1 of 3", "order.placed")
	p.says("/handlers?search=nothing", 200, "No handler fits these filters")
	openPages(t, "x-empty: 1\n").says("/handlers", 200, "No handler is wired")
}

func TestAHandlerIsShownWithWhatIsAroundIt(t *testing.T) {
	p := openPages(t, overviewWiring)
	p.says("/handlers/charge", 200, "It has no run yet", "Asks <the> bank.")
	p.emit("order.placed", `{"total":2}`)
	p.emit("order.placed", `{"total":0}`)
	p.says("/handlers/charge", 200, "dead runs", "data.total > 1", "1 run", "team: payments", "exit code 3: card declined", "skipped", "Pause", "!Forget")
	p.says("/handlers/ship", 200, "Publishes order.shipped", "Comes from handler ship by order.shipped", "1-ship")
	p.says("/handlers/back-up", 200, "Take enabled: false out of the wiring file", "Comes from schedule nightly by backup.due", "!Skip what waits")
	p.says("/handlers/chargee", http.StatusNotFound, `did you mean "charge"?`)
	p.Write(t, "handlers: [{name: other, on: order.placed, do: log, with: {message: x}}]\n")
	if _, err := p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.says("/handlers/charge", 200, "dead runs left", "Left the file", "Forget", "!The last 15 minutes")
}
