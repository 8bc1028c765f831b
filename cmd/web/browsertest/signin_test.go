package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
)

const signInWiring = `
server: {listen: LISTEN}
handlers: [{name: note, on: a.b, do: log, with: {message: x}}]
`

// at waits until the tab is at a path of the daemon.
func (b *tab) at(path string) {
	b.t.Helper()
	b.wait("the page is "+path, `document.readyState === "complete" && location.pathname + location.search === `+quote(path))
}

// cookie is the value of the session's cookie, which scripts don't see.
func (b *tab) cookie() string {
	b.t.Helper()
	cookies := call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url + "/"}}).Cookies
	if len(cookies) == 1 {
		return cookies[0].Value
	}
	return ""
}

// A page leads a browser without a session to the page where it signs in, and back: with a token, with a link, and with a form where scripts are off.
func TestSignIn(t *testing.T) {
	t.Parallel()
	d := serve(t, signInWiring)
	b := newTab(t, d.url)
	b.dark(false) // and still
	b.open("/settings?x=1&y=%2F")
	b.at("/sign-in?next=%2Fsettings%3Fx%3D1%26y%3D%252F")
	b.quiet()
	b.typed("wrong")
	b.keys("Enter")
	b.see("[data-failed] >> the token is not valid")
	b.fill("input[name=token]", d.token)
	b.keys("Enter")
	b.at("/settings?x=1&y=%2F")
	if cookies := value[string](b, "document.cookie"); cookies != "" {
		t.Errorf("scripts can read cookies: %s", cookies)
	}
	b.quiet()
	b.complaints()                    // 401 of the wrong token
	b.open("/sign-in?next=/settings") // of a link of another site, which brings no cookie with it
	b.at("/settings")
	again, err := d.Link(context.Background(), "/settings?again")
	if err != nil {
		t.Fatal(err)
	}
	was := b.cookie()
	b.open(strings.TrimPrefix(again.URL, d.url)) // signed in, and yet the link is used
	b.at("/settings?again")
	if b.cookie() == was || value[string](b, "location.hash") != "" {
		t.Errorf("the link did not begin another session, or left its code at %s", value[string](b, "location.href"))
	}
	b.click("button >> sign out")
	b.at("/sign-in")

	link, err := d.Link(context.Background(), "/settings")
	if err != nil {
		t.Fatal(err)
	}
	b.open(strings.TrimPrefix(link.URL, d.url))
	b.at("/settings")
	if history := value[string](b, `location.href + " " + performance.getEntriesByType("navigation")[0].name + " " + document.referrer`); strings.Contains(history, "code") {
		t.Errorf("the code is in %s", history)
	}
	if faults := b.complaints(); len(faults) > 0 {
		t.Errorf("%q", faults)
	}
	other := newTab(t, d.url)
	other.open(strings.TrimPrefix(link.URL, d.url))
	other.see("[data-failed] >> the link is not valid")

	plain := newTab(t, d.url)
	plain.dark(false)
	call(plain, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	plain.open("/sign-in?next=//evil.example/x&failed=Call+555")
	if text := plain.text("main"); strings.Contains(text, "555") {
		t.Errorf("the page shows what a link says: %s", text)
	}
	plain.typed("wrong")
	plain.keys("Enter")
	plain.see(".error >> the token is not valid")
	plain.fill("input[name=token]", d.token)
	plain.keys("Enter")
	plain.at("/")
	plain.open("/settings")
	plain.see("dd >> owner")
	plain.click("button >> sign out")
	plain.see("h1 >> sign in")
}

// A token is added in three steps, and what it may not do is not offered. When it is revoked, a page that is open leads to the page where browsers sign in.
func TestTokens(t *testing.T) {
	t.Parallel()
	d := serve(t, signInWiring)
	b := newTab(t, d.url)
	b.dark(false) // and still
	b.signIn(d.token)
	b.open("/")
	from := b.steps
	b.click(".nav a >> settings")
	b.at("/settings")
	b.click("button >> add a token")
	b.see("dialog input[name=name]")
	b.typed("watcher")
	b.keys("Enter")
	b.see("dialog .secret input")
	b.within(3, from)
	b.keep("secret")
	secret := value[string](b, `document.querySelector("dialog .secret input").value`)
	if !strings.HasPrefix(secret, "evr_") {
		t.Fatalf("the token is %q", secret)
	}
	b.keys("Escape")
	b.see("#tokens td >> watcher")
	b.click("button >> add a token")
	b.see("dialog input[name=name]")
	b.keep("form")
	b.typed("watcher")
	b.keys("Enter")
	b.see("dialog .error >> already exists")
	b.complaints() // 409
	b.fill("dialog input[name=name]", "shop")
	b.click("dialog label >> only publish events")
	b.fill("dialog input[name=types]", "order.>, shop.*")
	b.keys("Enter")
	b.see("dialog .secret input")
	b.keys("Escape")
	b.see("#tokens td >> emit shop.*")
	if faults := b.complaints(); len(faults) > 0 {
		t.Errorf("%q", faults)
	}

	w := newTab(t, d.url)
	w.dark(false)
	w.signIn(secret)
	w.open("/settings")
	w.see("#tokens >> needs a token with the right admin")
	w.gone("button >> add a token")
	w.gone("#doctor .findings")
	if status := value[int](w, `fetch("/v1/handlers/note/pause", {method: "POST"}).then(a => a.status)`); status != http.StatusForbidden {
		t.Errorf("a token that may read pauses a handler: %d", status)
	}
	w.complaints()
	w.open("/live")
	w.quiet()
	value[bool](w, `new Promise(done => { const s = new EventSource("/v1/stream"); s.onopen = () => done(true); s.onerror = () => { globalThis.over = s.readyState !== EventSource.OPEN; s.close() } })`)
	b.click(`button[data-post="/v1/tokens/watcher/revoke"]`)
	b.click("dialog button >> revoke")
	b.see(".toast >> watcher is revoked")
	w.wait("the stream has ended, or the page has led away", `globalThis.over === true || location.pathname === "/sign-in"`)
	w.open("/settings")
	w.at("/sign-in?next=%2Fsettings")
}

// A page of another port of the same host is of the same site, and is sent with the cookies: it can neither do nor read anything.
func TestAPageOfAnotherPort(t *testing.T) {
	t.Parallel()
	d := serve(t, signInWiring)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>evil</title><iframe id="frame" src="%[1]s/settings"></iframe><img id="picture" src="%[1]s/v1/status"><script id="script" src="%[1]s/v1/status"></script>
			<form id="form" method="post" action="%[1]s/v1/handlers/note/pause"><input name="x" value="y"></form><form id="out" method="post" action="%[1]s/sign-out"></form>`, d.url)
	}))
	defer evil.Close()
	b := newTab(t, d.url)
	b.dark(false) // and still
	b.signIn(d.token)
	b.url = evil.URL // 127.0.0.1, as the daemon's
	for _, script := range []string{
		`fetch(TO + "/v1/handlers/note/pause", {method: "POST", credentials: "include", mode: "no-cors"}).then(() => "sent", () => "refused")`,
		`fetch(TO + "/v1/handlers/note/pause", {method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}}).then(a => "read " + a.status, () => "refused")`,
		`fetch(TO + "/v1/tokens", {credentials: "include"}).then(a => "read " + a.status, () => "refused")`,
		`fetch(TO + "/v1/links", {method: "POST", credentials: "include", body: "{}"}).then(a => "read " + a.status, () => "refused")`,
		`new Promise(done => { const s = new EventSource(TO + "/v1/stream", {withCredentials: true}); s.onopen = () => done("read"); s.onerror = () => done("refused") })`,
		`(navigator.sendBeacon(TO + "/v1/handlers/note/pause", "{}"), "sent")`,
		`(() => { try { return document.getElementById("frame").contentDocument?.body.innerText ? "read" : "empty" } catch { return "refused" } })()`,
		`document.getElementById("picture").naturalWidth === 0 ? "refused" : "read"`,
	} {
		b.open("/")
		if got := value[string](b, strings.ReplaceAll(script, "TO", quote(d.url))); strings.HasPrefix(got, "read") {
			t.Errorf("%s: %s", script, got)
		}
	}
	for form, path := range map[string]string{"form": "/v1/handlers/note/pause", "out": "/sign-out"} {
		b.open("/")
		b.is(`document.getElementById(` + quote(form) + `).submit()`)
		b.wait("the answer is there", `location.pathname === `+quote(path))
	}
	handlers, err := d.Handlers(context.Background())
	if err != nil || len(handlers) != 1 || handlers[0].Pause != nil {
		t.Errorf("the handler is paused: %+v, %v", handlers, err)
	}
	status, err := d.Status(context.Background())
	if err != nil || len(status.Problems) > 0 {
		t.Errorf("%+v, %v", status.Problems, err)
	}
	b.url = d.url
	b.open("/settings") // a link of the evil page would do the same: it only shows the page to the user
	b.at("/settings")
}
