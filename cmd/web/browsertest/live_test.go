package browsertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"evrun/cmd/api"
	"evrun/events"
)

// liveRows are the numbers of the events that the page Live shows, the newest first.
const liveRows = `[...document.querySelectorAll("[data-live] tr")].map(r => Number(r.dataset.item))`

// liveWiring has a handler that succeeds.
const liveWiring = `
store: evrun.db
log: {level: error}
server: {socket: evrun.sock, listen: LISTEN}
handlers:
  - {name: look, on: page.>, when: data.n != 7, do: log, with: {message: "${ data.n }"}}
`

// accept accepts n events of a type at the same time, with the data {"n": …} from a number on, and returns the seq of the last.
func (d *daemon) accept(typ string, from, n int) int64 {
	d.t.Helper()
	seqs, errs := make([]int64, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			e := &events.Event{Type: typ, Source: "/test", ID: fmt.Sprintf("%s-%d", typ, from+i), Data: fmt.Appendf(nil, `{"n":%d}`, from+i)}
			var r api.Receipt
			r, errs[i] = d.Emit(d.t.Context(), e)
			seqs[i] = r.Sequence
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		d.t.Fatal(err)
	}
	return slices.Max(seqs)
}

// unbroken checks that the page shows the newest events, one after the other.
func (b *tab) unbroken(what string, last int64, atLeast int) {
	b.t.Helper()
	b.wait(what, fmt.Sprintf(`%s[0] === %d`, liveRows, last))
	rows := value[[]int64](b, liveRows)
	for i := 1; i < len(rows); i++ {
		if rows[i] != rows[i-1]-1 {
			b.t.Fatalf("%s: #%d comes after #%d", what, rows[i-1], rows[i])
		}
	}
	if len(rows) < atLeast || len(rows) > 100 {
		b.t.Errorf("%s: %d rows", what, len(rows))
	}
}

func TestLive(t *testing.T) {
	d := serve(t, liveWiring)
	b := newTab(t, d.url)
	b.signIn(d.token)
	last := d.accept("page.seen", 1, 3)
	b.open("/live")
	b.unbroken("the page begins with what there is", last, 3)
	last = d.accept("page.seen", 4, 4)
	b.unbroken("new events come in", last, 7)
	b.wait("their runs are shown, and how they ended", `document.querySelector("[data-live] tr .run-skipped")?.textContent === "look: skipped" && document.querySelectorAll(".run-succeeded").length === 6`)

	// While a row has the focus nothing moves.
	b.press("j")
	at := value[int64](b, liveRows+`[0]`)
	last = d.accept("page.seen", 8, 2)
	b.wait("it says how many have come", `document.querySelector("[data-held]").innerText.includes("2 new")`)
	if now := value[int64](b, liveRows+`[0]`); now != at {
		t.Errorf("the rows moved: #%d is first, and not #%d", now, at)
	}
	b.press("Enter")
	b.wait("the event opens beside the list, and says what its handler did", `document.querySelector("[data-panel] #accounts")?.innerText.includes("look")`)
	if url := value[string](b, "location.search"); url != fmt.Sprintf("?open=%d", at) {
		t.Errorf("the URL is %s", url)
	}
	b.press("Escape")
	b.wait("it is closed", `document.querySelector("[data-panel]").hidden && location.search === ""`)
	b.press("Escape")
	b.unbroken("the rows go on", last, 9)

	// Paused, it gets nothing; resumed, all of it.
	b.press("p")
	b.wait("it is paused", `document.querySelector("[data-state]").innerText === "Paused"`)
	at = last
	last = d.accept("page.seen", 10, 5)
	if now := value[int64](b, liveRows+`[0]`); now != at {
		t.Errorf("paused, it shows #%d", now)
	}
	b.press("p")
	b.unbroken("all that came meanwhile is there", last, 14)

	// However many there are, the page has 100.
	last = d.accept("page.seen", 15, 450)
	b.unbroken("the newest are there", last, 100)
	if n := value[int](b, `document.querySelectorAll("[data-live] tr").length`); n != 100 {
		t.Errorf("%d rows", n)
	}

	// One type alone, within two steps: its name in a row.
	d.accept("other.thing", 1, 1)
	b.wait("another type has come", `document.querySelector("[data-live] tr .type").innerText === "other.thing"`)
	b.click("[data-live] tr .type a >> other.thing")
	b.wait("it is followed alone", `location.search === "?type=other.thing" && [...document.querySelectorAll("[data-live] tr .type")].every(e => e.innerText === "other.thing")`)
	d.accept("page.seen", 500, 1)
	last = d.accept("other.thing", 2, 1)
	b.wait("only it comes in", fmt.Sprintf(`%s[0] === %d && document.querySelectorAll("[data-live] tr").length === 2`, liveRows, last))

	// Runs that come into a state.
	b.open("/live?state=skipped")
	d.accept("page.seen", 501, 1)
	d.accept("page.again", 7, 1)
	b.wait("skipped runs come in", `[...document.querySelectorAll("[data-live] tr")].filter(r => r.innerText.includes("skipped") && r.innerText.includes("look")).length === 2`)
	for _, fault := range b.complaints() {
		t.Error(fault)
	}
}

// The end of a long absence is the newest events, and not all that came meanwhile.
func TestLiveAfterALongTimeInTheBackground(t *testing.T) {
	d := serve(t, liveWiring)
	b := newTab(t, d.url)
	b.signIn(d.token)
	b.open("/live?type=page.>")
	b.wait("it is live", `document.querySelector("[data-state]").innerText === "Live"`)
	seen := func(state string) {
		b.is(fmt.Sprintf(`(Object.defineProperty(document, "visibilityState", {value: %q, configurable: true}), document.dispatchEvent(new Event("visibilitychange")), true)`, state))
	}
	seen("hidden")
	b.wait("it says that it waits", `document.querySelector("[data-state]").innerText.startsWith("Waiting")`)
	d.accept("page.seen", 1, 300)
	b.is(`(() => { const now = Date.now(); Date.now = () => now + 60_000; })()`) // a minute later
	last := d.accept("page.seen", 301, 300)
	seen("visible")
	b.unbroken("the newest are there", last, 100)
	for _, r := range b.asked() {
		if strings.Contains(r.url, "/v1/stream") && r.bytes > 100<<10 {
			t.Errorf("a stream of %.0f bytes", r.bytes)
		}
	}
	last = d.accept("page.seen", 601, 1)
	b.unbroken("and it goes on", last, 100)
}
