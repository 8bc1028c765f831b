package api

import (
	"testing"

	"evrun/cmd/hook"
	"evrun/tasks/expression"
	"evrun/tasks/fields"
	"evrun/tasks/signature"
)

// Connections is how many connections are open.
func (s *Server) Connections() int { return int(s.connections.Open()) }

// OpenHook is a hook of a wiring file: anybody may send, and each request becomes an event of the type.
func OpenHook(t *testing.T, name, typ string) *hook.Hook {
	t.Helper()
	of, err := expression.CompileTemplate(typ, expression.HookRequest)
	h := &hook.Hook{Name: name, Verify: &signature.Verify{}, Type: of}
	if faults := fields.Decode(h.Verify, map[string]any{"scheme": signature.None}, fields.Options{}); err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	return h
}
