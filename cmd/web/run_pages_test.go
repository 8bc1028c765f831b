package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/batches"
	"evrun/tasks/search"
)

// The pages of runs say what there is without a script, keep their filters in the URL, and show texts as texts.
func TestThePagesOfRuns(t *testing.T) {
	p := openPages(t, `
defaults: {retry: {attempts: 1}}
handlers:
  - {name: charge, on: order.placed, labels: {team: billing}, do: exec, with: {command: [sh, -c, "echo \"declined: card $N <b>\" >&2; exit 3"], env: {N: "${ data.n }"}}}
  - {name: ship, on: order.placed, when: data.n > 3, do: log, with: {message: x}}
`)
	var at [6]string // the numbers of the events; between them are those of evrun's own
	for n := range at {
		receipt, err := p.Emit(t.Context(), &events.Event{Type: "order.placed", Source: "/t", Data: fmt.Appendf(nil, `{"n":%d}`, n)})
		if err != nil {
			t.Fatal(err)
		}
		at[n] = fmt.Sprint(receipt.Sequence)
	}
	dead := search.Selection{Handler: "charge", States: []string{"dead"}}
	list := func(sel search.Selection) []api.Run {
		runs, _, err := p.Runs(t.Context(), sel, api.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		return runs
	}
	for len(list(search.Selection{States: []string{"dead,succeeded,skipped"}})) < 12 {
		time.Sleep(5 * time.Millisecond)
	}
	runs := list(dead)
	p.says("/runs", 200, "dead", "succeeded", "skipped", "#"+at[5], "#"+at[0], "declined: card 5 <b>", "data.n is 2")
	p.says("/runs?state=dead&handler=charge", 200, "#"+at[5], "dead 6")
	p.says("/runs?label=team%3Dbilling&state=skipped", 200, "No run fits these filters")
	p.says("/runs?where="+url.QueryEscape(`data.n == 4 and run.handler == "ship"`), 200, "#"+at[4]+" ", "!#"+at[3]+" ")
	p.says("/runs?where=data.n+%3D%3D", 200, "where: ", "!runs match")
	p.says("/runs?state=died", 200, "state: ", "dead")
	p.says("/runs?since=never", 200, `since "never"`)
	p.says("/runs?after=nonsense", 200, "cursor")
	p.says("/runs/"+runs[0].ID, 200, "Run "+at[5]+"-charge", "Retry", "Edit and run again", "exit code 3", "declined: card 5 <b>", "Runs with this error")
	p.says("/runs/"+at[4]+"-ship", 200, "succeeded", "!Retry", "Run again", "left nothing to show")
	p.says("/runs/"+at[0]+"-ship", 200, "skipped", "data.n is 0", "condition was false")
	p.says("/runs/99-ship", 404, "not found")
	p.says("/batches", 200, "Nothing was done to many runs at once yet")

	_, source, _ := p.page("/runs?state=dead&where=" + url.QueryEscape(`data.n > 1 and data.x != "<i>"`))
	for _, want := range []string{`data-selection="{&#34;state&#34;:[&#34;dead&#34;],&#34;where&#34;:&#34;data.n &gt; 1 and data.x != \&#34;&lt;i&gt;\&#34;&#34;}"`, "state=dead", "disabled data-act=\"retry\""} {
		if !strings.Contains(source, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(source, "<i>") {
		t.Error("the condition is HTML")
	}
	if _, err := p.RunBatch(t.Context(), api.BatchRequest{Request: batches.Request{Action: "drop", Selection: dead}}, func(api.Batch) {}); err != nil {
		t.Fatal(err)
	}
	p.says("/runs", 200, "Drop ended 6 of 6 changed", "dead · handler charge")
	p.says("/batches", 200, "Drop ended 6 of 6 changed")
	p.says("/runs/"+at[5]+"-charge", 200, "dropped", "!Edit and run again")
}
