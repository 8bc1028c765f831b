package browsertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
)

// What operators do with schedules: see what comes next, fire, pause and resume, publish past slots, and look at a day. Who may only read sees the same, and
// has nothing to press.
func TestSchedules(t *testing.T) {
	browser(t)
	d := serve(t, `
store: evrun.db
server: {socket: evrun.sock, listen: LISTEN, watch: false}
schedules:
  - {name: nightly, daily: "02:00", timezone: Europe/Paris, emit: backup.due}
  - {name: report, daily: "02:00", timezone: Europe/Paris, do: exec, with: {shell: exit 1}, timeout: 1m, retry: {attempts: 1}}
  - {name: often, every: 1m, emit: tick}
handlers:
  - {name: back-up, on: backup.due, do: log, with: {message: x}}
`)
	ctx := t.Context()
	b := newTab(t, d.url)
	b.signIn(d.token)
	b.open("/schedules")

	b.click("tr[data-item=nightly] button >> Fire")
	b.click("dialog button >> Fire")
	b.see(".toast >> nightly has fired: #")
	fired := strings.TrimPrefix(b.text(".toast a"), "#")
	if e, err := d.Event(ctx, fired); err != nil || e.Type != "backup.due" || e.Extensions["manual"] != true {
		t.Errorf("event %s: %+v %v", fired, e, err)
	}
	b.click("tr[data-item=nightly] button >> Pause")
	b.click("dialog button >> Pause")
	b.see("tr[data-item=nightly] >> will be missed")
	b.click("tr[data-item=nightly] button >> Resume")
	b.gone("tr[data-item=nightly] >> will be missed")

	// What comes next: the frequent one is counted, the others fall together.
	b.click(".tabs a >> What comes next")
	b.see("#next tr >> nightly")
	if text := strings.Join(strings.Fields(b.text(".folded")), " "); !strings.HasPrefix(text, "often every 1m: 1,") {
		t.Error(text)
	}
	if text := b.text("#next tr[data-item^=nightly]"); !strings.Contains(text, "02:00") || !strings.Contains(text, "together with report") {
		t.Error(text)
	}

	// A backfill of three days.
	b.open("/schedules/report")
	b.click("button >> Backfill")
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Now().In(paris)
	noon = time.Date(noon.Year(), noon.Month(), noon.Day()-1, 12, 0, 0, 0, paris)
	b.is(fmt.Sprintf(`(() => { const local = ms => { const d = new Date(ms); return new Date(d - d.getTimezoneOffset() * 60000).toISOString().slice(0, 16); };
		document.querySelector("input[name=from]").value = local(%d); document.querySelector("input[name=to]").value = local(%d); return true; })()`,
		noon.AddDate(0, 0, -3).UnixMilli(), noon.UnixMilli()))
	b.click("dialog button >> Count the slots")
	b.see("dialog >> Publish 3 slots of report?")
	b.click("dialog button >> Publish")
	b.see(".toast >> 3 published")
	d.until("the runs are dead", func() (bool, string) {
		page, err := d.Slots(ctx, client.SlotsQuery{Schedules: []string{"report"}, Since: noon.AddDate(0, 0, -3), Until: noon})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Slots) == 3 && page.Slots[0].Runs["dead"] == 1 && page.Slots[2].Runs["dead"] == 1, fmt.Sprintf("%+v", page.Slots)
	})
	b.open("/schedules/report")
	if got := value[string](b, `document.querySelector("[data-day='`+noon.Format(time.DateOnly)+`']").getAttribute("class")`); !strings.Contains(got, "past-4 failed") {
		t.Errorf("the day has the class %q", got)
	}
	b.see("#past tr >> dead")
	b.is(`document.querySelector(".today").scrollIntoView({inline: "center"})`)
	b.click("[data-day='" + noon.Format(time.DateOnly) + "'] rect")
	b.wait("the day is shown", `location.search === "?day=`+noon.Format(time.DateOnly)+`" && document.querySelectorAll("#past tbody tr").length === 1`)

	token, err := d.CreateToken(ctx, api.TokenRequest{Name: "reader", Rights: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	reader := newTab(t, d.url)
	reader.signIn(token.Secret)
	for _, path := range []string{"/schedules", "/schedules/report", "/schedules?view=next"} {
		reader.open(path)
		reader.see("h1")
		if !reader.is(`!document.querySelector("main [data-post], main [data-fire], main [data-backfill]")`) {
			t.Errorf("%s has buttons for who may only read", path)
		}
	}
	for _, fault := range append(b.complaints(), reader.complaints()...) {
		t.Error(fault)
	}
}
