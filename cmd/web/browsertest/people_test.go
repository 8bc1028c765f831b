package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"evrun/cmd/api"
)

// The pages as other people see them than the owner with a mouse.

// Whoever may only read sees every page, without a complaint of the browser, and nothing on it that would be refused.
func TestWhoMayReadIsOfferedNothingElse(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	made, err := s.CreateToken(t.Context(), api.TokenRequest{Name: "reader", Rights: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t, s.url)
	b.signIn(made.Secret)
	for _, v := range s.views() {
		if v.open || v.right == "admin" || !b.openIfThere(v.path) {
			continue
		}
		b.quiet()
		for _, offer := range value[[]string](b, `[...document.querySelectorAll("main :is([data-post], [data-act], [data-fire], [data-resume], [data-add-token], button.danger)")].filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled).map(e => e.outerHTML.slice(0, 150))`) {
			t.Errorf("%s: %s", v.path, offer)
		}
		for _, fault := range b.complaints() {
			if v.complaint == "" || !strings.Contains(fault, v.complaint) {
				t.Errorf("%s: %s", v.path, fault)
			}
		}
	}
}

// Without JavaScript, every page shows what it is about, and its links, filters and pages work.
func TestPagesWithoutScripts(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	b := newTab(t, s.url)
	b.signIn(s.token)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	for _, v := range s.views() {
		if v.open || !b.openIfThere(v.path) {
			continue
		}
		page := value[struct {
			Title string
			Text  string
		}](b, `({Title: document.querySelector("h1")?.innerText ?? "", Text: document.querySelector("main")?.innerText ?? ""})`)
		if page.Title == "" || len(page.Text) < len(page.Title)+20 {
			t.Errorf("%s shows only %q", v.path, page.Text)
		}
	}
	b.open("/runs?state=dead")
	b.click("#rows tr >> dead >> a")
	b.wait("the page of a run", `location.pathname.startsWith("/runs/")`)
	if !b.is(`document.querySelectorAll("[data-post]").length > 0 && [...document.querySelectorAll("[data-post]")].every(e => !e.getClientRects().length)`) {
		t.Error("buttons that need scripts are shown without them")
	}
	b.size(360, 700, 1)
	b.see("#nav a >> Events")
	b.size(1280, 900, 1)
	b.open("/events")
	b.click(`input[name="type"]`)
	b.typed("user.*")
	b.press("Enter")
	b.wait("the filter is in the address", `location.search.includes("type=user.")`)
	b.see("[data-item] >> user.registered")
	if b.is(`document.querySelector("#list").innerText.includes("order.placed")`) {
		t.Error("the filter is not heeded")
	}
	b.click("[data-item] >> user.registered >> a")
	b.see("h1 >> user.registered")
}

// The keyboard alone leads everywhere, and does everything.
func TestTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	b := newTab(t, s.url)
	b.signIn(s.token)
	b.open("/")
	at := func(path string) {
		t.Helper()
		b.wait("the page is "+path, "location.pathname === "+quote(path)+` && document.readyState === "complete"`)
		b.quiet()
	}
	b.keys("g", "r")
	at("/runs")
	b.keys("j", "j")
	b.wait("the second row is current", `[...document.querySelectorAll("#rows [data-item]")].indexOf(document.activeElement.closest("[data-item]") ?? document.querySelector("[data-item].current")) === 1`)
	b.keys("x")
	b.wait("one run is selected", `document.querySelectorAll("#rows input:checked").length === 1`)
	b.keys("k", "Enter")
	b.wait("the first run is open", `/^\/runs\/\d+-/.test(location.pathname) && document.readyState === "complete"`)
	b.keys("?")
	b.see("dialog[open] >> keys")
	b.keys("Escape")
	b.gone("dialog[open]")
	b.keys("/")
	b.see("dialog[open] input")
	b.typed("ship")
	b.wait("the palette finds the handler", `document.querySelector("dialog[open] [aria-selected=true]")?.innerText.startsWith("ship")`)
	b.keys("Enter")
	at("/handlers/ship")
	b.keys("p")
	b.see("dialog[open] >> ship")
	b.wait("the button that agrees has the focus, or one key away is", `document.querySelector("dialog[open]")?.contains(document.activeElement)`)
	for range 4 {
		if b.is(`document.activeElement.matches("dialog[open] button[value=yes]")`) {
			break
		}
		b.press("Tab")
	}
	b.keys("Enter")
	b.see(".toast >> paused")
	if h, err := s.Handler(t.Context(), "ship"); err != nil || h.State != "paused" {
		t.Error(h.State, err)
	}
	b.keys("Control+k")
	b.see("dialog[open] input")
	b.typed(fmt.Sprintf("#%d", s.order))
	b.keys("Enter")
	at(fmt.Sprintf("/events/%d", s.order))
	for _, fault := range b.complaints() {
		t.Error(fault)
	}
}
