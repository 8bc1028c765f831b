package audit_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
)

func TestAnActorIsNamedAsFarAsItIsKnown(t *testing.T) {
	for want, actor := range map[string]audit.Actor{
		"ada (uid 1000)": {UID: 1000, User: "ada"},
		"uid 4294967":    {UID: 4294967},
		"token deploy":   {UID: -1, Token: "deploy"},
		"unknown":        {UID: -1},
	} {
		if got := actor.String(); got != want {
			t.Errorf("%+v is %q, want %q", actor, got, want)
		}
	}
}

func TestAnActionWithoutAnActorIsThatOfTheProcess(t *testing.T) {
	if got := audit.From(t.Context()); got.UID != os.Getuid() {
		t.Errorf("got %+v", got)
	}
	if got := audit.From(audit.With(t.Context(), audit.Actor{UID: 0})); got.UID != 0 || got.User != "root" {
		t.Errorf("root is %+v", got)
	}
}

func TestAnActionIsRecordedWithItsActorAndItsData(t *testing.T) {
	em := emitter.New(nil, 0)
	data := map[string]any{"handler": "h"}
	for _, test := range []struct {
		actor audit.Actor
		want  map[string]any
	}{
		{audit.Actor{UID: 1000, User: "ada"}, map[string]any{"who": "ada (uid 1000)", "uid": 1000.0, "user": "ada", "handler": "h"}},
		{audit.Actor{UID: -1, Token: "deploy"}, map[string]any{"who": "token deploy", "token": "deploy", "handler": "h"}},
	} {
		e, err := audit.Event(audit.With(t.Context(), test.actor), em, events.TypeAuditHandlerResumed, data)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(e.Data, &got); err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(test.want)
		if again, _ := json.Marshal(got); string(again) != string(want) || e.Type != "evrun.audit.handler.resumed" || e.Time.IsZero() {
			t.Errorf("%s at %v: %s, want %s", e.Type, e.Time, again, want)
		}
	}
	if len(data) != 1 {
		t.Errorf("the caller's data has become %v", data)
	}
}

func TestALongListOfRunsIsShortened(t *testing.T) {
	ids := make([]string, 100_000)
	for i := range ids {
		ids[i] = strings.Repeat("x", 30)
	}
	e, err := audit.Event(t.Context(), emitter.New(nil, 0), events.TypeAuditRunRetried, map[string]any{"runs": ids, "count": len(ids)})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Data) > emitter.DefaultMaxEvent || !strings.Contains(string(e.Data), `"count":100000`) {
		t.Errorf("%d bytes", len(e.Data))
	}
}
