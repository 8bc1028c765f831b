package browsertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What people do with a page: look, click, type.

// find is an expression for the first visible element that a selector matches; with " >> text" behind it, whose text has that; and with " >> selector" behind
// that, the first visible one of those within.
func find(selector string) string {
	outer, rest, _ := strings.Cut(selector, " >> ")
	text, inner, within := strings.Cut(rest, " >> ")
	seen := `e => e.checkVisibility({visibilityProperty: true})`
	found := fmt.Sprintf(`[...document.querySelectorAll(%s)].filter(%s).find(e => (e.innerText || e.value || e.ariaLabel || "").toLowerCase().includes(%s))`, quote(outer), seen, quote(strings.ToLower(text)))
	if !within {
		return found
	}
	return fmt.Sprintf(`[...(%s)?.querySelectorAll(%s) ?? []].find(%s)`, found, quote(inner), seen)
}

// see waits until an element is visible.
func (b *tab) see(selector string) {
	b.t.Helper()
	b.wait(selector+" is visible", find(selector))
}

// gone waits until no such element is visible.
func (b *tab) gone(selector string) {
	b.t.Helper()
	b.wait(selector+" is gone", "!"+find(selector))
}

// text is what an element shows.
func (b *tab) text(selector string) string {
	b.t.Helper()
	b.see(selector)
	return value[string](b, find(selector)+".innerText")
}

// click clicks an element with the mouse, where it is, and counts as one step.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.see(selector)
	b.wait(selector+" can be clicked", find(selector)+"?.disabled !== true")
	// Where it is, once it is not covered: what moves or fades has its time.
	type place struct {
		X, Y float64
		Over string
	}
	var at place
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // the browser is another process
		at = value[place](b, `(() => {
			const e = `+find(selector)+`;
			if (!e) return {Over: "nothing: it is gone"};
			e.scrollIntoView({block: "center", behavior: "instant"});
			const r = e.getClientRects()[0], X = r.x + r.width / 2, Y = r.y + r.height / 2, o = document.elementFromPoint(X, Y);
			return {X, Y, Over: e === o || e.contains(o) || o?.closest("label")?.control === e ? "" : (o?.outerHTML ?? "nothing").slice(0, 200)};
		})()`)
		if at.Over == "" {
			break
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s is covered by %s", selector, at.Over)
		}
	}
	b.steps++
	b.run(chromedp.MouseClickXY(at.X, at.Y))
}

// keys presses keys, each of which counts as one step: "j", "Enter", "Control+k".
func (b *tab) keys(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.steps++
		b.press(key)
	}
}

var named = map[string]string{"Enter": kb.Enter, "Tab": kb.Tab, "Escape": kb.Escape, "ArrowDown": kb.ArrowDown, "ArrowUp": kb.ArrowUp, "ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight, "Home": kb.Home, "End": kb.End}

func (b *tab) press(key string) {
	b.t.Helper()
	var modifiers chromedp.Modifier
	for {
		before, after, ok := strings.Cut(key, "+")
		if !ok || after == "" {
			break
		}
		modifiers |= map[string]chromedp.Modifier{"Control": chromedp.ModifierCtrl, "Shift": chromedp.ModifierShift, "Alt": chromedp.ModifierAlt}[before]
		key = after
	}
	if code := named[key]; code != "" {
		key = code
	}
	b.run(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers)))
}

// fill types a text into a field, in place of what it has. To type is no step; to get to the field is.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.click(selector)
	b.is(find(selector) + ".select?.()")
	b.typed(text)
}

// typed types a text where the focus is.
func (b *tab) typed(text string) {
	b.t.Helper()
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// within checks how many steps were made since from.
func (b *tab) within(limit, from int) {
	b.t.Helper()
	if n := b.steps - from; n > limit {
		b.t.Errorf("it took %d clicks and keys, and not at most %d", n, limit)
	}
}
