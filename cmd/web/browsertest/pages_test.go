package browsertest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// What the first load of a page may cost.
const (
	maxWeight   = 150 << 10 // bytes on the wire, with headers
	maxRequests = 28
)

// Every page: loads without a complaint of the browser, from evrun alone, with little weight; has nothing serious that axe can find, light, dark and
// narrow; never scrolls sideways, at 360 pixels and at 200 %; and can be used with the keyboard alone.
func TestPages(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	axe := axeSource(t)
	for _, v := range s.views() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, s.url)
			if !v.open {
				b.signIn(s.token)
			}
			b.dark(false)
			call(b, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}) // as somebody loads it who has never been here
			if !b.openIfThere(v.path) {
				t.Fatalf("there is no page %s", v.path)
			}
			b.quiet()
			call(b, network.SetCacheDisabled, network.SetCacheDisabledParams{})
			b.checkLoad()
			b.checkStructure()
			b.checkWidth("light")
			b.checkAxe("light", axe, "")
			b.keep("light")
			b.checkKeyboard()
			for _, look := range []struct {
				name   string
				width  int64
				height int64
				scale  float64
				dark   bool
				open   bool // again, as somebody opens it who has such a screen
			}{{"dark", 1280, 900, 1, true, false}, {"zoomed", 640, 450, 2, false, false}, {"narrow", 360, 740, 2, false, true}, {"narrow-dark", 360, 740, 2, true, true}} {
				if look.name == "narrow-dark" && !shooting() {
					continue // to be looked at
				}
				b.size(look.width, look.height, look.scale)
				b.dark(look.dark)
				if look.open || shooting() {
					b.open(v.path)
					b.quiet()
				}
				b.checkWidth(look.name)
				switch look.name {
				case "dark":
					b.checkAxe(look.name, axe, "color-contrast")
				case "narrow":
					b.checkAxe(look.name, axe, "")
					b.checkTargets()
				}
				b.keep(look.name)
			}
			for _, width := range []int64{768, 970} { // a tablet; half of a wide screen
				b.size(width, 900, 1)
				b.checkWidth(fmt.Sprintf("a window of %d pixels", width))
			}
			for _, fault := range b.complaints() {
				if expected := v.complaint; expected == "" || !strings.Contains(fault, expected) {
					t.Errorf("%s: %s", v.path, fault)
				}
			}
		})
	}
}

// checkLoad checks what the page asked for, at its first load.
func (b *tab) checkLoad() {
	b.t.Helper()
	var weight float64
	var list []string
	asked := b.asked()
	for _, r := range asked {
		if strings.HasPrefix(r.url, "data:") { // a picture of the browser's own, in a field for dates
			continue
		}
		if !strings.HasPrefix(r.url, b.url+"/") {
			b.t.Errorf("the page asks another server: %s", r.url)
		}
		weight += r.bytes
		list = append(list, fmt.Sprintf("%6.0f B %s", r.bytes, strings.TrimPrefix(r.url, b.url)))
	}
	slices.Sort(list)
	b.t.Logf("%d requests, %.1f KB", len(asked), weight/1024)
	if weight > maxWeight || len(asked) > maxRequests {
		b.t.Errorf("the first load: %d requests with %.0f bytes; at most %d with %d are allowed\n%s", len(asked), weight, maxRequests, maxWeight, strings.Join(list, "\n"))
	}
}

// checkStructure checks what each page has: a language, a title, one main heading, ids that are its own, and nothing that the policies forbid.
func (b *tab) checkStructure() {
	b.t.Helper()
	faults := value[[]string](b, `(() => {
		const faults = [], all = s => [...document.querySelectorAll(s)];
		if (!document.documentElement.lang) faults.push("no language");
		if (!document.title) faults.push("no title");
		if (!document.querySelector("meta[name=viewport]")) faults.push("no viewport");
		if (all("h1").length !== 1) faults.push(all("h1").length + " h1");
		if (all("main").length !== 1) faults.push(all("main").length + " main");
		const ids = all("[id]").map(e => e.id);
		for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push("twice: #" + id);
		for (const e of all("[data-region]")) if (!e.id) faults.push("a region without an id: " + e.outerHTML.slice(0, 100));
		for (const e of all("script:not([src])")) faults.push("an inline script: " + e.outerHTML.slice(0, 100));
		for (const e of all("style")) faults.push("an inline style: " + e.outerHTML.slice(0, 100));
		for (const e of all("[target=_blank]")) faults.push("opens a window: " + e.outerHTML.slice(0, 100));
		for (const e of all("*")) for (const a of e.attributes) if (a.name.startsWith("on")) faults.push("a handler in an attribute: " + e.outerHTML.slice(0, 100));
		return faults;
	})()`)
	for _, fault := range faults {
		b.t.Error(fault)
	}
}

// checkWidth checks that nothing is wider than the window, but what scrolls in itself.
func (b *tab) checkWidth(look string) {
	b.t.Helper()
	wide := value[[]string](b, `(() => {
		const root = document.scrollingElement, window = root.clientWidth; // innerWidth grows on narrow screens with what is too wide
		if (root.scrollWidth <= window) return [];
		const inScroller = e => { for (let p = e.parentElement; p && p !== root; p = p.parentElement) if (/auto|scroll|hidden|clip/.test(getComputedStyle(p).overflowX)) return true; return false; };
		const list = [...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > window + 0.5 && !inScroller(e)).map(e => e.outerHTML.slice(0, 120));
		return [root.scrollWidth + " pixels in a window of " + window, ...list.slice(0, 4)];
	})()`)
	if len(wide) > 0 {
		b.t.Errorf("%s scrolls sideways: %s", look, strings.Join(wide, "\n  "))
	}
}

// checkTargets checks that a finger can hit what there is to press on a narrow screen.
func (b *tab) checkTargets() {
	b.t.Helper()
	small := value[[]string](b, `[...document.querySelectorAll("button, select, input:not([type=hidden]), textarea, summary, nav a, [role=button], [role=tab]")]
		.filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}))
		.filter(e => !e.closest("thead, .sr"))
		.map(e => /checkbox|radio/.test(e.type) && e.closest("label") || e)
		.map(e => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.height > 1 && r.height < (/checkbox|radio/.test(e.type) ? 23.5 : 39.5))
		.map(([e, r]) => r.width.toFixed() + " x " + r.height.toFixed() + ": " + e.outerHTML.slice(0, 120))`)
	if len(small) > 0 {
		b.t.Errorf("%d targets are too small: %s", len(small), strings.Join(small[:min(len(small), 5)], "\n  "))
	}
}

// checkAxe runs axe-core: all of its rules, or one.
func (b *tab) checkAxe(look, source, rule string) {
	b.t.Helper()
	if source == "" {
		return // it isn't installed
	}
	options := `{resultTypes: ["violations"]}`
	if rule != "" {
		options = `{resultTypes: ["violations"], runOnly: [` + quote(rule) + `]}`
	}
	if err := b.try(chromedp.Evaluate[chromedp.Void](source)); err != nil {
		b.t.Fatal(err)
	}
	type violation struct {
		ID     string `json:"id"`
		Impact string `json:"impact"`
		Help   string `json:"help"`
		Nodes  []struct {
			HTML    string `json:"html"`
			Summary string `json:"failureSummary"`
		} `json:"nodes"`
	}
	for _, v := range value[[]violation](b, `axe.run(document, `+options+`).then(r => r.violations)`) {
		text := fmt.Sprintf("%s: axe: %s (%s): %s", look, v.ID, v.Impact, v.Help)
		for _, node := range v.Nodes[:min(len(v.Nodes), 3)] {
			text += "\n  " + node.HTML[:min(len(node.HTML), 200)] + "\n    " + strings.ReplaceAll(node.Summary, "\n", " ")
		}
		if v.Impact == "serious" || v.Impact == "critical" {
			b.t.Error(text)
		} else {
			b.t.Log(text)
		}
	}
}

// checkKeyboard goes through the page with the key Tab: it must come to everything that can be pressed or filled, in a loop without a trap, and show where
// it is.
func (b *tab) checkKeyboard() {
	b.t.Helper()
	// Elements are known by what they are: a page that refreshes puts others in their place. Of the rows of a list, the first three stand for all.
	wanted := value[int](b, `(() => {
		document.activeElement?.blur();
		const name = window.__name = e => e.outerHTML.replace(/ (aria-\w+|class|value|data-source)="[^"]*"/g, "").slice(0, 160);
		const looks = window.__looks = e => { const s = getComputedStyle(e), x = e.closest("label") && getComputedStyle(e.closest("label")); return [s.outlineStyle !== "none" && s.outlineWidth, s.boxShadow, s.backgroundColor, s.borderColor, s.textDecorationLine, x?.outlineStyle, x?.boxShadow].join(); };
		const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]")]
			.filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled && e.tabIndex >= 0 && !e.closest("[inert]") && (e.type !== "radio" || e.checked) && !e.closest("[data-list] [data-item]:nth-child(n+4)"));
		window.__wanted = new Set(all.map(name));
		window.__before = new Map(all.map(e => [name(e), looks(e)]));
		return window.__wanted.size;
	})()`)
	var hidden []string
	last, same := "", 0
	for range wanted + 60 {
		b.press("Tab")
		at := value[struct {
			Left   int    `json:"left"`
			Name   string `json:"name"`
			Hidden bool   `json:"hidden"`
		}](b, `(() => {
			const e = document.activeElement, name = window.__name(e), had = window.__before.get(name), left = window.__wanted;
			left.delete(name);
			if (e.type === "radio") for (const n of left) if (n.includes('type="radio"') && n.includes('name="' + e.name + '"')) left.delete(n);
			const result = {left: left.size, name: e.outerHTML.slice(0, 120), hidden: had !== undefined && had === window.__looks(e)};
			if (e.closest("[data-list] [data-item]:nth-child(n+4)")) [...e.closest("[data-list]").querySelectorAll("[data-item] :is(a, button, input)")].at(-1)?.focus();
			return result;
		})()`)
		if at.Hidden {
			hidden = append(hidden, at.Name)
		}
		if at.Name == last {
			same++
		} else {
			last, same = at.Name, 0
		}
		if at.Left == 0 || same > 12 { // a field for a date has parts
			break
		}
	}
	never := value[[]string](b, `[...window.__wanted]`)
	if len(never) > 0 {
		b.t.Errorf("the key Tab never comes to %d of %d, from %s on: %s", len(never), wanted, last, strings.Join(never[:min(len(never), 5)], "\n  "))
	}
	if len(hidden) > 0 {
		b.t.Errorf("the focus can't be seen at %d: %s", len(hidden), strings.Join(hidden[:min(len(hidden), 5)], "\n  "))
	}
}

// Every link of every page leads to a page, and these pages are in the table.
func TestLinks(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	b := newTab(t, s.url)
	b.signIn(s.token)
	known := map[string]string{} // by shape
	for _, v := range s.views() {
		known[shapeOf(v.path)] = v.path
	}
	seen := map[string]bool{}
	for _, v := range s.views() {
		if strings.HasPrefix(v.name, "no-such") {
			continue
		}
		b.open(v.path)
		links := value[[]string](b, `[...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href"))`)
		for _, link := range links {
			at, err := url.Parse(link)
			if err != nil || at.Scheme != "" && at.Scheme != "http" && at.Scheme != "https" || at.Host != "" {
				t.Errorf("%s has the link %s", v.path, link)
				continue
			}
			shape := shapeOf(at.Path)
			if at.Path == "" || seen[shape+"?"+at.RawQuery] || seen[shape] && len(seen) > 200 {
				continue
			}
			seen[shape+"?"+at.RawQuery], seen[shape] = true, true
			if strings.HasPrefix(at.Path, "/v1/") || strings.HasPrefix(at.Path, "/static/") {
				continue
			}
			if known[shape] == "" {
				t.Errorf("%s links to %s, and no such page is in the table of views", v.path, link)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+at.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+s.token)
			req.Header.Set("Accept", "text/html")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s links to %s: %s", v.path, link, res.Status)
			}
		}
	}
}

// shapeOf is a path without the name of a thing.
func shapeOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	name := 2
	if len(parts) > 1 && parts[1] == "wiring" {
		name = 3
	}
	if len(parts) > name {
		parts[name] = "*"
	}
	return strings.Join(parts, "/")
}
