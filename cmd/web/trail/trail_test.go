package trail_test

import (
	"encoding/json"
	"strings"
	"testing"

	"evrun/cmd/web/trail"
	"evrun/events"
)

func TestEachActionIsSaidInWords(t *testing.T) {
	for _, test := range []struct{ typ, data, want string }{
		{events.TypeAuditRunRetried, `{"who":"ada (uid 1000)","run":"7-save-abc","count":1}`, "ada (uid 1000) retried the run [7-save-abc](/runs/7-save-abc)"},
		{events.TypeAuditRunCancelled, `{"who":"token x","run":"7-save-abc","count":3}`, "token x cancelled the run [7-save-abc](/runs/7-save-abc) and 2 more"},
		{events.TypeAuditRunDropped, `{"who":"x","count":2}`, "x dropped 2 runs"},
		{events.TypeAuditRunEdited, `{"who":"x","run":"7-a-b","event":"e 1"}`, "x ran again with changed data: the run [7-a-b](/runs/7-a-b), as [event e 1](/events?event=e+1)"},
		{events.TypeAuditEventsReplayed, `{"who":"x","handler":"save","events":["#7","8"],"count":2}`, "x ran 2 events again through [save](/handlers/save): [#7](/events/7), [8](/events/8)"},
		{events.TypeAuditEventsPruned, `{"who":"x","events":12345,"runs":1}`, "x pruned the store: 12,345 events and 1 run deleted"},
		{events.TypeAuditBatchStarted, `{"who":"x","action":"retry","total":5000,"selection":{"state":["dead"],"handler":"a b"}}`, "x started retrying 5,000 runs with [handler a b, state dead](/runs?handler=a+b&state=dead)"},
		{events.TypeAuditBatchStarted, `{"who":"x","action":"replay","total":2,"to":"save","resumed":true}`, "x continued replaying 2 events through [save](/handlers/save)"},
		{events.TypeAuditBatchEnded, `{"who":"x","action":"edit","total":2,"changed":1}`, "x finished editing and running again 2 runs: 1 changed"},
		{events.TypeAuditBatchStarted, `{"who":"x","action":"rerun","total":1,"selection":{"run":["7-a-b"]}}`, "x started running again 1 run with run 7-a-b"},
		{events.TypeAuditBatchStarted, `{"who":"x","action":"drop","total":4,"selection":{"run":["1-a","2-a","3-a","4-a"],"state":["dead"]}}`, "x started dropping 4 runs with 4 ids, state dead"},
		{events.TypeAuditHandlerPaused, `{"who":"x","handler":"a/b"}`, "x paused the handler [a/b](/handlers/a%2Fb)"},
		{events.TypeAuditHandlerResumed, `{"who":"x","handler":"h","skipped_events":5,"dropped_runs":1,"at_most":true}`, "x resumed the handler [h](/handlers/h): at most 5 events skipped, 1 run dropped"},
		{events.TypeAuditScheduleFired, `{"who":"x","schedule":"s","event":"id"}`, "x fired the schedule [s](/schedules/s): [event id](/events?event=id)"},
		{events.TypeAuditScheduleBackfilled, `{"who":"x","schedule":"s","from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","count":24}`,
			"x published 24 past slots of the schedule [s](/schedules/s), from 2026-11-01 00:00:00 UTC to 2026-11-02 00:00:00 UTC"},
		{events.TypeAuditWiringReloaded, `{"who":"x","path":"/etc/evrun.yaml","because":"signal"}`, "x had the wiring read again (by the signal SIGHUP): [/etc/evrun.yaml](/wiring)"},
		{events.TypeAuditUsersImported, `{"who":"x","inserted":1,"updated":2,"kept":3000,"refused":1}`, "x imported [users](/users): 1 new, 2 changed, 3,000 as they were, 1 line refused"},
		{events.TypeAuditStoreRestored, `{"who":"x","file":"b.db","seq":"9","lost":0}`, "x put the backup b.db in the store's place: it ends with #9, and 0 later events lost"},
		{events.TypeAuditTokenCreated, `{"who":"x","name":"ci","rights":["read","emit order.*"],"rate":"5/s"}`, "x made the token [ci](/settings), which may read, emit order.*, at most 5/s"},
		{events.TypeAuditTokenRevoked, `{"who":"x","name":"ci"}`, "x revoked the token [ci](/settings)"},
		{events.AuditPrefix + "moon.landed", ``, "somebody moon landed"},
	} {
		entry, ok := trail.Of(&events.Event{Type: test.typ, Data: json.RawMessage(test.data)})
		var b strings.Builder
		b.WriteString(entry.Who + " ")
		for _, p := range entry.What {
			if p.Path == "" {
				b.WriteString(p.Text)
			} else {
				b.WriteString("[" + p.Text + "](" + p.Path + ")")
			}
		}
		if got := b.String(); !ok || got != test.want {
			t.Errorf("%s: got  %s\nwant %s", test.typ, got, test.want)
		}
	}
}

// Data of any kind, which an older or newer evrun may have written, gives a sentence.
func TestNoDataBreaksASentence(t *testing.T) {
	for _, typ := range events.OwnTypes() {
		for _, text := range []string{``, `null`, `[]`, `{"who":1,"run":{},"count":"x","events":[1,{}],"selection":[],"rights":7}`, `{"selection":{"a":null,"b":{"c":[1]}}}`} {
			entry, ok := trail.Of(&events.Event{Type: typ.Type, Data: json.RawMessage(text)})
			if ok != strings.HasPrefix(typ.Type, events.AuditPrefix) {
				t.Errorf("%s: %v", typ.Type, ok)
			}
			if ok && (len(entry.What) == 0 || strings.HasPrefix(entry.What[0].Text, strings.TrimPrefix(typ.Type, events.AuditPrefix))) {
				t.Errorf("%s has no sentence: %s", typ.Type, entry)
			}
		}
	}
}

// A filter by kind leaves no action out.
func TestEachActionHasAKind(t *testing.T) {
	for _, typ := range events.OwnTypes() {
		if !strings.HasPrefix(typ.Type, events.AuditPrefix) {
			continue
		}
		n := 0
		for _, k := range trail.Kinds() {
			p, err := events.ParsePattern(k.Pattern)
			if err != nil {
				t.Fatal(err)
			}
			if p.Match(typ.Type) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s has %d kinds", typ.Type, n)
		}
	}
}
