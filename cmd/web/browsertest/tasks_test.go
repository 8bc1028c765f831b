package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/tasks/search"
)

// office is a shop with the troubles that operators have: an error that 5,000 runs died of, and whose cause is mended by now.
type office struct {
	*shop
	skipped int64 // an event that its handler skipped
}

const troubles = 5000

func openOffice(t *testing.T) *office {
	t.Helper()
	browser(t)
	var mended atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !mended.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	o := &office{shop: openShopWith(t, `
  - {name: sync-stock, on: stock.changed, do: http, with: {url: "`+server.URL+`/stock"}, retry: {attempts: 1}, concurrency: 16, timeout: 10s}
`)}
	var lines strings.Builder
	for i := range troubles {
		fmt.Fprintf(&lines, `{"specversion":"1.0","id":"stock-%d","source":"/shop/stock","type":"stock.changed","data":{"article":%d}}`+"\n", i, i)
	}
	if _, err := o.EmitLines(t.Context(), strings.NewReader(lines.String()), client.LinesOptions{MaxData: 1 << 20, Answered: func(a client.LineAnswer) error {
		if a.Problem != nil {
			return a.Problem
		}
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	o.settled("make-report", "pulse")
	mended.Store(true)
	runs, _, err := o.Runs(t.Context(), search.Selection{Handler: "ship", States: []string{"skipped"}}, api.Paging{Limit: 1})
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	o.skipped = runs[0].Sequence
	return o
}

// Ten tasks of operators, each in at most three clicks and keys, from the page that they have open. To type a text is none.
func TestTasks(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	for _, task := range []struct {
		name, from string
		do         func(*testing.T, *tab)
	}{
		{"find why a handler did nothing on an event", "/", func(t *testing.T, b *tab) {
			b.keys("/")
			b.see("dialog input")
			b.typed(fmt.Sprintf("#%d", o.skipped))
			b.keys("Enter")
			b.see("article >> ship")
			text := b.text("article >> ship")
			for _, want := range []string{"skipped", `data.city`, "Nowhere"} {
				if !strings.Contains(text, want) {
					t.Errorf("the page doesn't say %q:\n%s", want, text)
				}
			}
		}},
		{"see the slowest step of a chain", "/", func(t *testing.T, b *tab) {
			b.keys("/")
			b.see("dialog input")
			b.typed(fmt.Sprintf("#%d", o.order))
			b.keys("Enter")
			b.see("tr.slowest >> charge")
		}},
		{"find an event by its payload", "/events", func(t *testing.T, b *tab) {
			b.click(`input[name="where"]`)
			b.typed(`data.order == 17`)
			b.keys("Enter")
			b.wait("the condition is in the address", `location.search.includes("where=data.order") && document.readyState === "complete"`)
			b.see("[data-item] >> order.placed")
			if n := value[int](b, `document.querySelectorAll("#list [data-item]").length`); n > 3 {
				t.Errorf("%d events are found", n)
			}
		}},
		{"retry 5,000 dead runs of one error", "/", func(t *testing.T, b *tab) {
			b.click(".problems li >> sync-stock >> a.button")
			b.click(".groups tr >> 503 >> button")
			b.click("dialog[open] >> 5,000 >> button.primary")
			b.see(".toast >> 5,000 runs retried")
			o.until("all runs have succeeded", func() (bool, string) {
				handler, err := o.Handler(t.Context(), "sync-stock")
				return err == nil && handler.Dead == 0 && handler.Running+handler.Retrying == 0, fmt.Sprint(handler.Dead, " are dead, ", err)
			})
		}},
		{"stop a run that never ends", "/", func(t *testing.T, b *tab) {
			b.click(".handlers tr >> make-report >> a[href*=running]")
			b.click("[data-act=cancel]")
			b.click("dialog[open] >> 1 run >> button.danger")
			o.until("the run is cancelled", func() (bool, string) { return o.findRun("make-report", "cancelled") != "", "" })
		}},
		{"see what fires tonight", "/", func(t *testing.T, b *tab) {
			b.click("a >> all coming slots")
			b.see(".slots tr >> nightly")
			b.see(".slots tr >> 01:30")
		}},
		{"edit the data of a failed run, and run it again", "/runs/" + o.dead, func(t *testing.T, b *tab) {
			b.click("a >> edit and run again")
			b.fill(`#emit input[data-field="/total"]`, "42")
			b.keys("Control+Enter")
			b.see("article >> charge")
			b.wait("the run succeeds", `/succeeded/.test(document.querySelector("#at-charge")?.innerText)`)
			if text := b.text("main"); !strings.Contains(text, `"total": 42`) {
				t.Errorf("the new event has other data:\n%s", text)
			}
		}},
		{"pause a handler", "/", func(t *testing.T, b *tab) {
			b.click(".handlers a >> tell-crm")
			b.click("main button >> pause")
			b.click("dialog[open] button >> pause")
			b.see(".toast >> paused")
			if h, err := o.Handler(t.Context(), "tell-crm"); err != nil || h.State != "paused" {
				t.Error(h.State, err)
			}
		}},
		{"add a token", "/", func(t *testing.T, b *tab) {
			b.click(".nav a >> settings")
			b.click("button >> add a token")
			b.see("dialog[open] input[name=name]")
			b.typed("grafana")
			b.keys("Enter")
			b.wait("the token is shown", `/^evr_[A-Z2-7]{26}$/.test(document.querySelector("dialog[open] input[readonly]")?.value)`)
			if list, err := o.Tokens(t.Context()); err != nil || !slices.ContainsFunc(list, func(x api.Token) bool { return x.Name == "grafana" }) {
				t.Error("there is no such token", err)
			}
		}},
		{"follow one type live", "/", func(t *testing.T, b *tab) {
			b.click(".nav a >> live")
			b.click("input[name=type]")
			b.typed("order.shipped")
			b.keys("Enter")
			b.see("[data-state] >> live")
			o.emit("page.viewed", `{"path": "/live"}`)
			seq := o.emit("order.shipped", `{"order": 4711}`)
			b.see(fmt.Sprintf("[data-item] >> #%d", seq))
			if b.is(`document.querySelector("[data-list]").innerText.includes("page.viewed")`) {
				t.Error("events of another type are shown")
			}
		}},
	} {
		t.Run(task.name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, o.url)
			b.signIn(o.token)
			b.open(task.from)
			b.quiet()
			from := b.steps
			task.do(t, b)
			b.within(3, from)
			b.keep("done")
			for _, fault := range b.complaints() {
				t.Error(fault)
			}
		})
	}
}
