package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what it must. A busy machine needs it; an idle one answers in milliseconds.
const patience = 20 * time.Second

// tab is a page in a browser window of its own, with cookies, storage and cache of its own.
type tab struct {
	t     *testing.T
	ctx   context.Context
	url   string // of the daemon, without a slash at the end
	steps int    // clicks and keys so far

	mu       sync.Mutex
	faults   []string // what the browser complained about: exceptions, errors in the console, violated policies, failed requests
	requests map[network.RequestID]*request
}

// request is what a page asked for.
type request struct {
	url   string
	kind  network.ResourceType
	bytes float64 // as it came over the wire, with headers
	open  bool
	of    cdp.LoaderID // the document that asks for it
}

// watch is run in each document before its own scripts: it keeps what the policies refused, and marks what the corpus would mark.
const watch = `window.__refused = [];
addEventListener("error", e => { if (e.target !== window) window.__refused.push("not loaded: " + e.target.outerHTML?.slice(0, 200)); }, true);
document.addEventListener("securitypolicyviolation", e => window.__refused.push(e.violatedDirective + " refused " + e.blockedURI + " " + e.sample + " at " + e.sourceFile + ":" + e.lineNumber));`

// newTab opens a tab that isn't signed in.
func newTab(t *testing.T, url string) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, url: url, requests: map[network.RequestID]*request{}}
	if err := chromedp.Do(ctx); err != nil { // opens it; it lives as long as the context of this call
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			b.keep("failed")
		}
		end()
	})
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}) // other tests have windows, too
	b.size(1280, 900, 1)
	b.dark(false)
	return b
}

// heard keeps what the browser says.
func (b *tab) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fault := func(format string, args ...any) { b.faults = append(b.faults, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault("exception: %s at %s:%d: %+v", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			var texts []string
			for _, arg := range e.Args {
				texts = append(texts, string(arg.Value)+arg.Description)
			}
			fault("console: %s", strings.Join(texts, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			fault("log: %s (%s)", e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		fault("dialog: %s", e.Message)
		go func() {
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument { // nobody waits for the answers to the page before
			for _, r := range b.requests {
				r.open = false
			}
		}
		b.requests[e.RequestID] = &request{url: e.Request.URL, kind: e.Type, open: true, of: e.LoaderID}
	case *page.EventFrameNavigated: // what the page before has asked for until it was left is not always reported as failed
		for _, r := range b.requests {
			r.open = r.open && r.of == e.Frame.LoaderID
		}
	case *network.EventResponseReceived:
		if r := b.requests[e.RequestID]; r != nil {
			r.bytes = e.Response.EncodedDataLength
		}
	case *network.EventLoadingFinished:
		if r := b.requests[e.RequestID]; r != nil {
			r.bytes, r.open = e.EncodedDataLength, false
		}
	case *network.EventLoadingFailed:
		if r := b.requests[e.RequestID]; r != nil {
			r.open = false
		}
	}
}

// complaints returns what the browser and its policies complained about since the last call.
func (b *tab) complaints() []string {
	b.t.Helper()
	refused := value[[]string](b, `window.__refused.splice(0)`)
	return append(b.complained(), refused...)
}

func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.faults
	b.faults = nil
	return list
}

// asked returns what was requested since the last call, and forgets it.
func (b *tab) asked() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []request
	for _, r := range b.requests {
		list = append(list, *r)
	}
	b.requests = map[network.RequestID]*request{}
	return list
}

// try runs actions, with a bound on their time.
func (b *tab) try(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.t.Fatalf("%v\nthe page complained: %q", err, b.complained())
	}
}

// call sends a command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

// value gives the value of an expression of JavaScript; that of a promise is waited for.
func value[T any](b *tab, script string) T {
	b.t.Helper()
	v, err := tryValue[T](b, script)
	if err != nil {
		b.t.Fatalf("%s: %v", script[:min(len(script), 300)], err)
	}
	return v
}

func tryValue[T any](b *tab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// is reports whether an expression is true.
func (b *tab) is(script string) bool {
	b.t.Helper()
	return value[bool](b, "!!("+script+")")
}

// wait waits until an expression is true. The page may be replaced by another meanwhile.
func (b *tab) wait(what, script string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, err := tryValue[bool](b, "!!("+script+")")
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			text, _ := tryValue[string](b, `location.href + "\n" + (document.querySelector("dialog[open]") ?? document.querySelector("main")).innerText.slice(0, 1500) + "\nthe focus is at " + document.activeElement?.outerHTML.slice(0, 200)`)
			b.t.Fatalf("it never came that %s (%v)\n%s\nthe page complained: %q", what, err, text, b.complained())
		}
		time.Sleep(15 * time.Millisecond) // the browser is another process
	}
}

// open goes to a page, and waits until its scripts have run.
func (b *tab) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url + path))
	b.wait("the page has loaded", `document.readyState === "complete"`)
}

// size sets the window, in CSS pixels; scale is the number of device pixels of each.
func (b *tab) size(width, height int64, scale float64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale, Mobile: width < 500})
}

// dark sets whether the system is dark.
func (b *tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
}

// signIn signs the tab in with a token. What was requested for it is forgotten.
func (b *tab) signIn(token string) {
	b.t.Helper()
	b.open("/sign-in")
	b.quiet()
	if status := value[int](b, `fetch("/sign-in", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({token: `+quote(token)+`})}).then(async a => { await a.text(); return a.status; })`); status >= 300 {
		b.t.Fatalf("sign in: %d", status)
	}
	b.quiet()
	b.asked()
	b.complaints()
}

// quote writes a text as JavaScript does.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

// shooting reports whether screenshots are wanted.
func shooting() bool { return os.Getenv("EVRUN_SCREENSHOTS") != "" }

// keep writes a screenshot into EVRUN_SCREENSHOTS, if that is set.
func (b *tab) keep(name string) {
	dir := os.Getenv("EVRUN_SCREENSHOTS")
	if dir == "" {
		return
	}
	// The whole page, in the present window: what has a fixed place stays where people see it.
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	layout, err := chromedp.Call(ctx, page.GetLayoutMetrics, cdp.Empty{})
	if err != nil {
		b.t.Logf("no screenshot: %v", err)
		return
	}
	beyond := true
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond, Clip: &page.Viewport{Width: layout.CSSContentSize.Width, Height: min(layout.CSSContentSize.Height, 4000), Scale: 1},
	})
	if err != nil {
		b.t.Logf("no screenshot: %v", err)
		return
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, strings.TrimPrefix(b.t.Name(), "Test")+"-"+name)
	if err := os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o644); err != nil {
		b.t.Error(err)
	}
}

// quiet waits until all requests have been answered, those that stay open aside, and the icon, which the browser may ask for at any time.
func (b *tab) quiet() {
	b.t.Helper()
	if open := b.unanswered(patience); len(open) > 0 {
		b.t.Fatalf("these requests are never answered: %v", open)
	}
}

// unanswered returns the requests that are open after so long; none, as soon as there are none.
func (b *tab) unanswered(wait time.Duration) (list []string) {
	for deadline := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) { // the browser is another process
		list = nil
		b.mu.Lock()
		for _, r := range b.requests {
			if r.open && !strings.Contains(r.url, "/v1/stream") && !strings.Contains(r.url, "follow=") && !strings.HasSuffix(r.url, "/icon.svg") {
				list = append(list, r.url)
			}
		}
		b.mu.Unlock()
		if len(list) == 0 || time.Now().After(deadline) {
			return list
		}
	}
}
