package clustertest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// history is what happened in a proof, as far as it can be seen from outside.
type history struct {
	sent    map[string]sent // by the id of the event
	effects []effect        // in the order in which they were committed, within a key
	slots   map[string][]time.Time
	every   map[string]time.Duration // of these schedules
}

// sent is an event that a sender has sent, perhaps several times. A sender sends the next event of a key when the one before was acknowledged.
type sent struct {
	key          string
	n            int // its place among the events of the key
	first, acked time.Time
}

// effect is a row that a handler has written. The table has no unique key but a number that grows.
type effect struct {
	id, key string
	n       int
}

// The kinds of a violation.
const (
	lost      = "lost"      // acknowledged, and without an effect
	doubled   = "doubled"   // with several effects
	unsent    = "unsent"    // an effect of an event that nobody sent
	reordered = "reordered" // an event of a key ran before an earlier one
	missed    = "missed"    // a slot of a schedule without an event
	fired     = "fired"     // a slot with several
)

// violation is a promise that was not kept.
type violation struct{ kind, what string }

// check returns the violations in a history.
func (h *history) check() (list []violation) {
	add := func(kind, format string, args ...any) {
		list = append(list, violation{kind, fmt.Sprintf(format, args...)})
	}
	times := map[string]int{}
	last := map[string]int{}
	for _, e := range h.effects {
		if _, ok := h.sent[e.id]; !ok {
			add(unsent, "%s", e.id)
		}
		times[e.id]++
		if before, ok := last[e.key]; ok && e.n < before {
			add(reordered, "%s: %d of key %s after %d", e.id, e.n, e.key, before)
		}
		last[e.key] = max(last[e.key], e.n)
	}
	for id, s := range h.sent {
		switch n := times[id]; {
		case n > 1:
			add(doubled, "%s: %d effects", id, n)
		case n == 0 && !s.acked.IsZero():
			add(lost, "%s, number %d of key %s, acknowledged at %s", id, s.n, s.key, s.acked.Format(time.StampMicro))
		}
	}
	for name, slots := range h.slots {
		slots = slices.SortedFunc(slices.Values(slots), time.Time.Compare)
		for i := range slots[min(1, len(slots)):] {
			switch gap := slots[i+1].Sub(slots[i]); {
			case gap == 0:
				add(fired, "%s: %s", name, slots[i])
			case gap > h.every[name]:
				add(missed, "%s: none between %s and %s", name, slots[i], slots[i+1])
			}
		}
	}
	slices.SortFunc(list, func(a, b violation) int { return slices.Compare([]string{a.kind, a.what}, []string{b.kind, b.what}) })
	return list
}

// report fails a test for each violation.
func (h *history) report(t testing.TB) {
	t.Helper()
	for i, v := range h.check() {
		if i == 50 {
			t.Error("and more")
			break
		}
		t.Errorf("%s: %s", v.kind, v.what)
	}
	t.Logf("%d events, %d effects, %d slots", len(h.sent), len(h.effects), len(h.slots["tick"]))
}

// counts has how many violations of each kind there are.
func counts(list []violation) map[string]int {
	n := map[string]int{}
	for _, v := range list {
		n[v.kind]++
	}
	return n
}
