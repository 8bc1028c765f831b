package browsertest

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
)

// A page that was opened in the background asks for nothing but itself until it is seen: to count millions of runs takes seconds.
func TestAPageInTheBackgroundWaits(t *testing.T) {
	t.Parallel()
	browser(t)
	d := serve(t, restartWiring)
	d.emit("order.placed", `{"n": 1}`)
	b := newTab(t, d.url)
	b.signIn(d.token)
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `window.unseen = true;
		Object.defineProperty(Document.prototype, "hidden", {get: () => window.unseen}); Object.defineProperty(Document.prototype, "visibilityState", {get: () => window.unseen ? "hidden" : "visible"})`})
	b.asked()
	b.open("/runs")
	b.is(`new Promise(done => setTimeout(done, 4000, true))`)
	for _, r := range b.asked() {
		if strings.Contains(r.url, "/v1/") {
			t.Error("a page that nobody looks at asks for", r.url)
		}
	}
	b.is(`(window.unseen = false, document.dispatchEvent(new Event("visibilitychange")), true)`)
	b.wait("the runs are counted when the page is seen", `document.querySelector("[data-total]").innerText === "1"`)
}

// A refresh waits for the end of a click: an element that is replaced while a button is pressed gets no click.
func TestAClickDuringARefresh(t *testing.T) {
	t.Parallel()
	browser(t)
	d := serve(t, restartWiring)
	d.emit("order.placed", `{"n": 1}`)
	b := newTab(t, d.url)
	b.signIn(d.token)
	b.open("/events")
	b.wait("the event is there", `document.querySelector("#list a[href^='/events/']") !== null`)
	at := value[[]float64](b, `(() => { const r = document.querySelector("#list a[href^='/events/']").getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`)
	mouse := func(kind input.DispatchMouseEventType) {
		call(b, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: at[0], Y: at[1], Button: "left", ClickCount: 1})
	}
	mouse(input.DispatchMouseEventTypeMousePressed)
	d.emit("order.placed", `{"n": 2}`)
	b.is(`new Promise(done => setTimeout(done, 4500, true))`) // the list is refreshed each 3 s
	mouse(input.DispatchMouseEventTypeMouseReleased)
	b.wait("the event that was clicked on is shown", `/^\/events\/\d+$/.test(location.pathname)`)
}
