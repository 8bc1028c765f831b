package daemon_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/cmd/daemon/daemontest"
	"evrun/events"
	"evrun/tasks/search"
)

// Each action of a request is recorded once, with the user whose process sent it, and handlers can subscribe to the records.
func TestActionsAreInTheAuditTrail(t *testing.T) {
	wiring := `
schedules: [{name: tick, every: 24h, emit: a.b}]
handlers: [{name: watch, on: evrun.audit.>, do: log, with: {message: "${ data.who } did ${ event.type }"}}]
`
	d := daemontest.Start(t, wiring)
	ctx := t.Context()
	try := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	fired, err := d.Fire(ctx, "tick")
	try("fire", err)
	if _, err := d.Fire(ctx, "tock"); err == nil {
		t.Error("an unknown schedule was fired")
	}
	for _, paused := range []bool{true, true, false} {
		_, err = d.SetPaused(ctx, "tick", paused)
		try("pause", err)
	}
	_, err = d.Reload(ctx)
	try("reload without a change", err)
	d.Write(t, wiring+"  # a comment\nevents: {a.b: {description: of the schedule}}\n")
	_, err = d.Reload(ctx)
	try("reload", err)
	d.Write(t, "handlers: 7\n")
	if _, err = d.Reload(ctx); err == nil {
		t.Error("a wrong file was loaded")
	}
	var want strings.Builder
	who := fmt.Sprintf(`"uid":%d`, os.Getuid())
	fmt.Fprintf(&want, "schedule.fired %q\nschedule.paused\nschedule.resumed\nwiring.reloaded \"request\"\n", fired.ID)
	evs, _, err := d.Events(ctx, search.Selection{Types: []string{"evrun.audit.>"}}, api.Paging{Oldest: true})
	try("list", err)
	var got strings.Builder
	for _, e := range evs {
		var data struct{ Event, Because string }
		try("data", json.Unmarshal(e.Data, &data))
		got.WriteString(strings.TrimPrefix(e.Type, events.AuditPrefix))
		if more := data.Event + data.Because; more != "" {
			fmt.Fprintf(&got, " %q", more)
		}
		got.WriteByte('\n')
		if !strings.Contains(string(e.Data), who) {
			t.Errorf("%s has no %s", e.Data, who)
		}
	}
	if got.String() != want.String() {
		t.Errorf("got\n%swant\n%s", got.String(), want.String())
	}
	for runs := 0; runs < len(evs); {
		page, _, err := d.Runs(ctx, search.Selection{Handler: "watch", States: []string{"succeeded"}}, api.Paging{})
		try("runs", err)
		runs = len(page)
	}
}
