package browsertest

import (
	"strings"
	"testing"
)

// The graph is walked by keys alone, a node says what it is, and the graph of one type has only what is around it.
func TestTheGraphIsWalkedByKeys(t *testing.T) {
	s := openShop(t)
	b := newTab(t, s.url)
	b.signIn(s.token)
	b.open("/wiring")
	b.wait("the graph is drawn", `document.querySelectorAll(".graph .node").length > 10`)
	b.wait("dead runs are marked", `document.querySelector('[data-id="handler:charge"]').dataset.mark === "bad"`)
	if !b.is(`(document.querySelector(".graph").focus(), document.activeElement.matches(".graph"))`) {
		t.Fatal("the graph takes no focus")
	}
	for range 20 {
		if b.press("ArrowRight"); b.is(`document.querySelector("[data-about] h2")?.textContent === "charge"`) {
			break
		}
		b.press("ArrowDown")
	}
	b.see("[data-about] a.button")
	b.press("Escape")
	b.gone("[data-about]")
	b.open("/wiring?focus=user.registered")
	b.wait("only a part is drawn", `document.querySelector('[data-id="handler:save-user"]') && !document.querySelector('[data-id="handler:charge"]')`)
	if text := b.text("#list"); strings.Contains(text, "charge") || !strings.Contains(text, "tell-crm") {
		t.Errorf("the lists have other parts: %s", text)
	}
	for _, fault := range b.complaints() {
		t.Error(fault)
	}
}

// A condition is edited, and the page says with which events something else would happen. The file on disk and the wiring stay as they are.
func TestWhatIf(t *testing.T) {
	s := openShop(t)
	b := newTab(t, s.url)
	b.signIn(s.token)
	b.open("/wiring/what-if")
	b.see("#text")
	if b.is(`document.querySelector("#text").value.includes("not-a-secret-of-anybody")`) {
		t.Error("the file is shown with a secret")
	}
	edit := func(from, to string) {
		if !b.is(`(t => { t.value = t.value.replace(` + quote(from) + `, ` + quote(to) + `); t.dispatchEvent(new Event("input")); return t.value.includes(` + quote(to) + `) })(document.querySelector("#text"))`) {
			t.Fatalf("the text has no %q", from)
		}
		b.click("[data-what-if] button.primary")
	}
	edit("data.total >= 10", "data.total >= 100")
	b.wait("the differences", `document.querySelector("[data-result]").textContent.includes("something else would happen")`)
	if text := b.text("[data-result]"); !strings.Contains(text, "Handlers changed: ship") || strings.Contains(text, "Hooks changed") || !strings.Contains(text, "would be skipped") {
		t.Errorf("the result: %s", text)
	}
	edit("on: order.paid", "onn: order.paid")
	b.wait("the fault", `document.querySelector("[data-result]").textContent.includes("evrun would refuse these files")`)
	for _, fault := range b.complaints() {
		t.Error(fault)
	}
}
