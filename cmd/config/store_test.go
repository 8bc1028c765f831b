package config

import (
	"strings"
	"testing"

	"evrun/cmd/drivers"
)

func TestTheStoreMayBeADatabase(t *testing.T) {
	path := write(t, `
store: {path: "postgres://evrun:very-secret@db1/evrun?passfile=pass&sslrootcert=/etc/ca.pem", wal_max: 1GiB}
node: {name: web-1, labels: [gpu]}
handlers: [{name: a, on: a.b, do: log, with: {message: x}, nodes: [gpu, web-2]}]
`)
	c, err := Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if err != nil {
		t.Fatal(err)
	}
	s := c.Settings
	if want := "postgres://evrun:***@db1/evrun?passfile=" + c.Dir + "/pass&sslrootcert=/etc/ca.pem"; s.Store.String() != want || s.Store.Path != "" || s.Own() != s.Server.Socket {
		t.Errorf("%+v", s)
	}
	if got := c.Secrets.Redact("it is very-secret"); strings.Contains(got, "very") {
		t.Error(got)
	}
	if h := c.Wiring.Handlers[0]; s.Node.Name != "web-1" || !h.RunsOn(s.Node.Name, s.Node.Labels) || h.RunsOn("web-1", nil) || !h.RunsOn("web-2", nil) {
		t.Errorf("%+v, %v", s.Node, h.Nodes)
	}
	var warned []string
	for _, w := range c.Warnings {
		warned = append(warned, w.Message)
		if strings.Contains(w.SourceLine, "very-secret") {
			t.Errorf("the password is shown: %s", w.SourceLine)
		}
	}
	if text := strings.Join(warned, "\n"); !strings.Contains(text, "has the password") || !strings.Contains(text, "store.wal_max has no effect") || len(warned) != 2 {
		t.Errorf("warnings:\n%s", text)
	}
	if c, err := LoadSettings(write(t, "store: a.db\n"), Options{Getenv: func(name string) string {
		return map[string]string{"EVRUN_STORE": "postgres://u:$ecret@db1/evrun", "EVRUN_NODE_LABELS": "gpu, eu-west"}[name]
	}}); err != nil || c.Settings.Store.Address != "postgres://u:$ecret@db1/evrun" || len(c.Settings.Node.Labels) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestNodesNeedAStoreOfSeveralDaemons(t *testing.T) {
	c, err := Load(write(t, "node: {labels: [gpu]}\nhandlers: [{name: a, on: a.b, do: log, with: {message: x}, nodes: [gpu]}]\n"), Options{Getenv: noEnv})
	if err != nil || len(c.Warnings) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}
