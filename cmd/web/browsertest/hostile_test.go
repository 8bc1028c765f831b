package browsertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"evrun/cmd/api"
	"evrun/events"
)

// hostile are texts that would do something in a page that doesn't escape them: in HTML, in an attribute with either quote, in a script, in a URL, in a
// template of JavaScript. What runs sets __hit.
var hostile = []string{
	`"><img src=x onerror="__hit=1">`,
	`'><svg onload='__hit=2'>`,
	`</script><script>__hit=3</script>`,
	`" onfocus="__hit=4" autofocus tabindex="0" x="`,
	`' onmouseover='__hit=5' style='position:fixed;inset:0' x='`,
	`</textarea></title></style></template><iframe srcdoc="<script>parent.__hit=6</script>"></iframe>`,
	`javascript:__hit=7//`,
	`<a href="javascript:__hit=8" id="main" name="body" data-region data-post="/v1/reload">x</a>`,
	`--><base href="//198.51.100.1/"><meta http-equiv="refresh" content="0;url=javascript:__hit=9"><form id=nav><input name=attributes>`,
	"${__hit=10}`;__hit=11;//\\\"';__hit=12;//{{__hit=13}}<%= __hit=14 %>",
	"\u202e\u2066right to left\u2069 \U000e0041\u200b <x-hit>bold</x-hit> &lt;img src=x onerror=__hit=15&gt; &#x3c;",
	strings.Repeat("W", 3000), // not hostile, but wide
}

// hostileType is a type of events: it can't have white space or a > of its own.
const hostileType = `hostile.<img/src=x/onerror="__hit=16"//'`

// evil is all of them in one line.
var evil = strings.Join(hostile[:11], " ")

// hostileWiring has hostile texts wherever the file takes them.
func hostileWiring(server string) string {
	q := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	short := q(hostile[0])
	return strings.NewReplacer("TYPEX", "hostile.next", "SAME", q("data.text == "+quote("no "+hostile[0])), "EVIL", q(evil), "LITERAL", q(strings.ReplaceAll(evil, "${", "$${")), "SHORT", short, "TYPE", q(hostileType), "SERVER", server, "QUOTED", q("${ data.text + "+quote(evil)+" }")).Replace(`
store: evrun.db
server: {socket: evrun.sock, listen: "LISTEN", watch: false}
defaults: {retry: {attempts: 2, backoff: 10ms}}
events:
  TYPE:
    description: EVIL
    schema:
      type: object
      title: EVIL
      description: EVIL
      required: [text]
      properties:
        text: {type: string, title: EVIL, description: EVIL, default: EVIL, examples: [EVIL]}
        choice: {type: string, enum: [EVIL, SHORT]}
        SHORT: {type: string, description: EVIL, pattern: "^.*$"}
        nested: {type: object, properties: {SHORT: {type: array, items: {type: string, description: EVIL}}}}
schedules:
  - {name: hostile, cron: "0 3 * * *", emit: TYPE, data: {text: LITERAL}, description: EVIL, labels: {team: SHORT}}
hooks:
  - {name: hostile, verify: {scheme: token, header: X-Token, secret: not-a-secret-of-anybody}, type: TYPE, description: EVIL, labels: {team: SHORT}}
handlers:
  - {name: log, on: TYPE, do: log, with: {message: QUOTED}, description: EVIL, labels: {team: SHORT}, emit: {type: TYPEX, data: "${ data }", subject: LITERAL}}
  - {name: never, on: TYPE, when: SAME, do: log, with: {message: LITERAL}, description: EVIL}
  - {name: fails, on: TYPE, do: exec, with: {command: [sh, -c, 'printf "%s\n" "$TEXT"; printf "%s\n" "$TEXT" >&2; exit 3'], env: {TEXT: "${ data.text }"}}}
  - {name: asks, on: TYPE, do: http, with: {url: "SERVER/?q=${ data.text }", method: GET}}
  - {name: save, on: user.registered, do: user.insert, with: {name: "${ data.name }", email: "${ data.email }", attributes: "${ data.attributes }"}}
`)
}

// openHostile starts a daemon and gives it what is hostile by all ways in. It returns the paths of the pages that show it.
func openHostile(t *testing.T) (d *daemon, pages []string) {
	t.Helper()
	browser(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Hostile", hostile[0])
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Location", "javascript:__hit=17")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, evil)
	}))
	t.Cleanup(server.Close)
	d = serve(t, hostileWiring(server.URL))
	data := func(text string) string {
		raw, err := json.Marshal(map[string]any{"text": text, text[:min(len(text), 100)]: text, "nested": map[string]any{evil: []any{text, map[string]any{text: nil}}}, "__proto__": text, "constructor": text})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var seqs []int64
	for i, text := range hostile {
		seqs = append(seqs, d.emit(hostileType, data(text), func(e *events.Event) {
			e.ID, e.Subject, e.Source = strconv.Itoa(i)+text[:min(len(text), 200)], text[:min(len(text), 200)], "/x/"+url.QueryEscape(text[:min(len(text), 100)])
			e.CorrelationID, e.CausationID = hostile[0], hostile[1]
			e.Extensions = map[string]any{"hostile": text[:min(len(text), 200)]}
		}))
	}
	plain := []int64{d.emit("hostile.text", evil, func(e *events.Event) { e.DataContentType = "text/html" }),
		d.emit("hostile.source", `{}`, func(e *events.Event) { e.Source = `javascript:__hit=18//"'<img/src=x/onerror=__hit=19>` }),
		d.emit("hostile.schema", `{}`, func(e *events.Event) { e.DataSchema = `javascript:__hit=20` })}
	users := 0
	for _, email := range []string{`"<img/src=x/onerror=__hit=21>"@example.com`, `x+'onclick='__hit=22'@example.com`, "plain@example.com"} {
		raw, _ := json.Marshal(map[string]any{"name": evil, "email": email, "attributes": map[string]any{evil: evil}})
		d.emit("user.registered", string(raw))
		users++
	}
	for _, ask := range []struct {
		header, path, body string
	}{{hostile[0], "/hooks/hostile?x=" + url.QueryEscape(hostile[0]), evil}} { // refused, and listed with the reason
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+ask.path, strings.NewReader(ask.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Token", ask.header)
		req.Header.Set("User-Agent", hostile[0])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if _, err := d.PauseHandler(t.Context(), "never", evil); err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreateToken(t.Context(), api.TokenRequest{Name: "ci", Rights: []string{"emit " + `hostile.<img/src=x/onerror=__hit=23//`}}); err != nil {
		t.Fatal(err)
	}
	d.settled("never")
	first := strconv.FormatInt(seqs[0], 10)
	pages = []string{
		"/", "/live", "/events", "/events?type=" + url.QueryEscape(hostileType), "/runs", "/runs?state=dead", "/schedules", "/schedules?view=next", "/schedules/hostile",
		"/wiring", "/users", "/users/plain@example.com", "/audit", "/settings", "/emit", "/emit?type=" + url.QueryEscape(hostileType),
		"/handlers/log", "/handlers/never", "/handlers/fails", "/handlers/asks", "/wiring/hooks/hostile", "/wiring/files", "/wiring/what-if", "/handlers",
		"/runs/" + d.firstRun("fails", "dead"), "/runs/" + d.firstRun("asks", "dead"), "/runs/" + d.firstRun("log", "succeeded"),
	}
	for i, seq := range append(seqs, plain...) {
		if i%3 == 2 && i < len(seqs) { // the lists show all of them
			continue
		}
		pages = append(pages, "/events/"+strconv.FormatInt(seq, 10))
	}
	// What the address itself brings in.
	for _, text := range []string{evil, "javascript:__hit=24//"} {
		q, p := url.QueryEscape(text), url.PathEscape(text)
		pages = append(pages, "/events?type="+q+"&where="+q+"&source="+q+"&after="+q+"&"+q+"="+q, "/events?where="+url.QueryEscape("data.text == "+quote(text)),
			"/runs?handler="+q+"&state="+q+"&where="+q+"&since="+q, "/runs?where="+url.QueryEscape("run.error contains "+quote(text)), "/users?search="+q, "/audit?who="+q+"&what="+q,
			"/schedules?view="+q, "/wiring?type="+q+"&focus="+q, "/live?type="+q+"&where="+q, "/emit?type="+q+"&data="+q+"&from="+q,
			"/events/"+p, "/runs/"+p, "/handlers/"+p, "/schedules/"+p, "/users/"+p, "/nothing/"+p, "/events/"+first+"?edit="+q+"&handler="+q+"&tab="+q)
	}
	return d, pages
}

// Nothing that the API accepts does anything in a page but to be shown: not in types, sources, ids, subjects, extensions, keys and values of payloads, names and
// attributes of users, descriptions, labels, conditions, schemas, errors, outputs, headers, reasons, rights of tokens, and not in addresses.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	d, pages := openHostile(t)
	const parts = 3
	shown := new(atomic.Int64)
	t.Run("pages", func(t *testing.T) {
		for part := range parts {
			t.Run(strconv.Itoa(part), func(t *testing.T) {
				t.Parallel()
				b := newTab(t, d.url)
				b.signIn(d.token)
				b.size(360, 740, 1) // wide texts must not make a page wide, either
				for i := part; i < len(pages); i += parts {
					shown.Add(b.visitHostile(pages[i]))
				}
			})
		}
	})
	t.Logf("%d pages, of which %d show hostile texts", len(pages), shown.Load())
	if shown.Load() < 20 {
		t.Error("too few pages show any of it")
	}
	b := newTab(t, d.url) // isn't signed in
	for _, text := range []string{evil, "javascript:__hit=25//", "//198.51.100.1/", "/\\198.51.100.1"} {
		path := "/sign-in?next=" + url.QueryEscape(text) + "&failed=" + url.QueryEscape(text)
		if b.openIfThere(path) {
			b.checkHarmless(path)
			b.fill("input[type=password]", d.token)
			b.press("Enter")
			b.wait("the browser is signed in", `location.pathname !== "/sign-in"`)
			b.checkHarmless("after " + path)
			if at := value[string](b, "location.origin"); at != d.url {
				t.Errorf("%s leads to %s", path, at)
			}
		}
		b = newTab(t, d.url)
	}
}

// visitHostile checks a page as it is, and with all unfolded. It returns 1 if the page shows hostile texts.
func (b *tab) visitHostile(path string) (shows int64) {
	b.t.Helper()
	if !b.openIfThere(path) {
		return 0
	}
	b.quiet()
	b.checkHarmless(path)
	if b.is(`document.querySelector("main")?.textContent.includes("__hit")`) {
		shows = 1
	}
	if b.is(`[...document.querySelectorAll("details:not([open])")].map(d => d.open = true).length`) {
		b.quiet()
		b.checkHarmless(path + ", unfolded")
	}
	b.checkWidth(path[:min(len(path), 60)])
	b.keep(path[:min(len(path), 40)])
	return shows
}

// openIfThere opens a page, and reports whether it exists.
func (b *tab) openIfThere(path string) bool {
	b.t.Helper()
	b.open(path)
	if !b.is(`document.contentType === "text/html"`) {
		b.complaints()
		return false
	}
	return true
}

// checkHarmless checks that nothing of the corpus has become an element or has run, and that no policy had to stop it.
func (b *tab) checkHarmless(path string) {
	b.t.Helper()
	faults := value[[]string](b, `(() => {
		const faults = [], bad = (s, what) => { for (const e of document.querySelectorAll(s)) faults.push(what + ": " + e.outerHTML.slice(0, 150)); };
		if (window.__hit !== undefined) faults.push("hit " + window.__hit);
		bad("img[src=x], iframe, base, meta[http-equiv=refresh], svg[onload], script:not([src]), input[name=attributes]", "an element");
		bad("x-hit, main a[name=body]", "markup");
		for (const e of document.querySelectorAll("*")) {
			for (const a of e.attributes) {
				if (a.name.startsWith("on")) faults.push("an attribute: " + e.outerHTML.slice(0, 150));
				if (["href", "src", "action", "formaction", "data-goto", "data-post", "xlink:href"].includes(a.name) && (/^\s*javascript:/i.test(a.value) || /^\s*(\/\/|\/\\|\\)/.test(a.value) || /^\w+:/.test(a.value) && !a.value.startsWith(location.origin)))
					faults.push("a link: " + e.outerHTML.slice(0, 150));
			}
		}
		return faults;
	})()`)
	for _, complaint := range b.complaints() {
		if !strings.Contains(complaint, "the server responded with a status of 4") {
			faults = append(faults, complaint)
		}
	}
	for _, fault := range faults[:min(len(faults), 5)] {
		b.t.Errorf("%s: %s", path[:min(len(path), 100)], fault)
	}
}
