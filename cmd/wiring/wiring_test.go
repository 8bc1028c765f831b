package wiring

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api/shape"
	"evrun/cmd/config"
	"evrun/events"
)

const running = `
events:
  order.placed: {description: Somebody bought something., schema: {type: object, required: [total]}}
  order.paid: {final: true}
schedules:
  - {name: tick, every: 1h, emit: order.placed, data: {total: 1}}
  - {name: backup, daily: "02:00", do: log, with: {message: x}}
hooks:
  - {name: shop, verify: {scheme: hmac-sha256, header: X-Sign, secret: literal-hook-secret}, type: "order.${ header('X-Kind') }"}
handlers:
  - {name: pay, on: order.placed, when: data.total > 10, do: emit, with: {type: order.paid}, on_dead: {type: order.stuck}}
  - {name: all, on: order.*, do: log, with: {message: "${ env('WIRING_SECRET') } ${ data.total }"}}
  - {name: failed, on: evrun.run.dead, do: log, with: {message: x}}
`

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// made is the wiring of a file.
func made(t *testing.T, text string) (w *Wiring, dir string) {
	t.Helper()
	t.Setenv("WIRING_SECRET", "hunter2hunter2")
	dir = t.TempDir()
	path := write(t, dir, "evrun.yaml", text)
	load := func() (*config.Config, error) { return config.Load(path, config.Options{}) }
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Current: func() *config.Config { return cfg }, Load: load}), dir
}

// recorded are events with totals.
func recorded(totals ...int) Recorded {
	return func(_ context.Context, each func(*events.Event) error) (bool, error) {
		for i, total := range totals {
			e := &events.Event{ID: fmt.Sprint(i), Source: "/t", Type: "order.placed", Sequence: int64(i + 1), Time: time.Now(), Data: fmt.Appendf(nil, `{"total":%d}`, total)}
			if err := each(e); err != nil {
				return true, err
			}
		}
		return false, nil
	}
}

func TestTheGraphSaysWhichWayEventsGo(t *testing.T) {
	w, _ := made(t, running)
	g := w.Graph()
	var got []string
	for _, e := range g.Edges {
		got = append(got, e.From+" "+e.How+" "+e.To)
	}
	want := []string{
		"schedule:tick publishes type:order.placed", "schedule:backup publishes type:schedule.backup", "type:schedule.backup on handler:backup",
		"hook:shop publishes computed:order.${ header('X-Kind') }", "computed:order.${ header('X-Kind') } matches type:order.placed",
		"type:order.placed on handler:pay", "handler:pay emits type:order.paid", "handler:pay on_dead type:order.stuck", "pattern:order.* on handler:all",
		"type:order.paid matches pattern:order.*", "computed:order.${ header('X-Kind') } matches pattern:order.*", "type:evrun.run.dead on handler:failed",
	}
	for _, edge := range want {
		if !slices.Contains(got, edge) {
			t.Errorf("no edge %s in\n%s", edge, strings.Join(got, "\n"))
		}
	}
	for _, h := range g.Handlers {
		if h.Schedule != (h.Name == "backup") {
			t.Errorf("%s belongs to a schedule: %v", h.Name, h.Schedule)
		}
	}
}

func TestFilesHaveNoSecrets(t *testing.T) {
	w, dir := made(t, running+"x-note: literal-hook-secret\n")
	for _, disk := range []bool{false, true} {
		f, err := w.Files(t.Context(), disk)
		if err != nil || !f.Valid || f.Changed || len(f.Files) != 1 || f.Files[0].Path != "evrun.yaml" {
			t.Fatalf("%+v, %v", f, err)
		}
		if text := f.Files[0].Text; strings.Contains(text, "literal-hook") || !strings.Contains(text, "secret: REDACTED}") || !strings.HasSuffix(text, "x-note: REDACTED\n") {
			t.Errorf("secrets in %s", text)
		}
	}
	write(t, dir, "evrun.yaml", "handlers:\n  - {name: pay, on: order..placed, do: log, with: {message: literal-hook-secret}}\n")
	f, err := w.Files(t.Context(), true)
	if err != nil || f.Valid || !f.Changed || len(f.Findings) != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	if found := f.Findings[0]; found.Line != 2 || found.Severity != "error" || found.File != "evrun.yaml" || strings.Contains(found.Source, "literal-hook") {
		t.Errorf("%+v", found)
	}
	if f, _ := w.Files(t.Context(), false); !f.Valid || !strings.Contains(f.Files[0].Text, "backup") {
		t.Errorf("the files that run are those on disk: %+v", f)
	}
}

func TestWhatIfComparesWithoutTheMachine(t *testing.T) {
	w, _ := made(t, running)
	edited := strings.Replace(running, "total > 10", "total > 20", 1)
	result, err := w.WhatIf(t.Context(), []shape.WiringFile{{Text: edited}}, recorded(5, 15, 25))
	if err != nil || !result.Valid || result.Compared != 3 || result.Differ != 1 || len(result.Differences) != 1 || result.Differences[0].Sequence != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	if !slices.Equal(result.Handlers.Changed, []string{"pay"}) || len(result.Schedules.Changed)+len(result.Hooks.Changed)+len(result.Types.Changed) > 0 {
		t.Errorf("changes: %+v", result)
	}
	files, _ := w.Files(t.Context(), false)
	files.Files[0].Text = strings.Replace(files.Files[0].Text, "total > 10", "total > 20", 1)
	if again, err := w.WhatIf(t.Context(), files.Files, recorded(15)); err != nil || again.Differ != 1 || len(again.Hooks.Changed) > 0 {
		t.Errorf("what was read here and sent again: %+v, %v", again, err)
	}
	// An oracle: a condition on a secret tells nothing of it.
	for _, guess := range []string{"hunter2hunter2", "wrong"} {
		oracle := strings.Replace(running, `"${ env('WIRING_SECRET') } ${ data.total }"`, `"${ env('WIRING_SECRET') == '`+guess+`' ? 'yes' : 'no' } ${ file('/etc/passwd') startsWith 'root' ? 'yes' : 'no' }"`, 1)
		result, err := w.WhatIf(t.Context(), []shape.WiringFile{{Path: "evrun.yaml", Text: oracle}}, recorded(5))
		if err != nil || !result.Valid {
			t.Fatalf("%+v, %v", result, err)
		}
		if text := fmt.Sprintf("%+v", result.Differences); strings.Contains(text, "yes") || strings.Contains(text, "hunter2") {
			t.Errorf("guessing %s: %s", guess, text)
		}
	}
	result, err = w.WhatIf(t.Context(), []shape.WiringFile{{Text: "include: [/etc/passwd, ../*.yaml]\n" + running}}, recorded(5))
	if err != nil || result.Valid || len(result.Findings) != 1 || !strings.Contains(result.Findings[0].Message, "not among the files that were sent") {
		t.Errorf("%+v, %v", result, err)
	}
	// A file beside it may be sent, too.
	result, err = w.WhatIf(t.Context(), []shape.WiringFile{{Text: "include: more.yaml\n" + running}, {Path: "more.yaml", Text: "handlers: [{name: new, on: order.placed, do: log, with: {message: x}}]"}}, recorded(5))
	if err != nil || !slices.Equal(result.Handlers.Added, []string{"new"}) || result.Differ != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

// Who may only read sees the graph: what is removed from the files for an admin is not in it either.
func TestAGraphHasNoSecrets(t *testing.T) {
	w, _ := made(t, strings.Replace(running, "when: data.total > 10", `description: literal-hook-secret, when: 'data.total > 10 or data.key == "literal-hook-secret"', order_by: 'data.key + "literal-hook-secret"'`, 1))
	text := fmt.Sprintf("%+v", w.Graph())
	if strings.Contains(text, "literal-hook-secret") || !strings.Contains(text, "data.total > 10 or data.key ==") {
		t.Error(text)
	}
}
