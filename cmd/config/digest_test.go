package config

import "testing"

// Machines that share a store have the same digest with the same wiring, whatever each has of its own.
func TestTheDigestIsOfWhatTheWiringDoes(t *testing.T) {
	const handlers = "handlers: [{name: a, on: x.y, do: log hello}]\n"
	first := load(t, "store: a.db\nserver: {socket: a.sock}\nnode: {name: web-1}\n"+handlers).Digest
	for text, same := range map[string]bool{
		"# web-2\nstore: b.db\nserver: {socket: b.sock}\nnode: {name: web-2, labels: [mail]}\n" + handlers: true,
		handlers: true,
		"handlers: [{name: a, on: x.y, do: log hallo}]\n": false,
		"retention: {events: 3d}\n" + handlers:            false,
	} {
		if got := load(t, text).Digest; (got == first) != same {
			t.Errorf("%s is the same: %v", text, !same)
		}
	}
}
