// Package settings has the settings of a wiring file: their keys, and how defaults, file, environment and flags are layered.
// See package config. No goroutines.
package settings

import (
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"time"
)

// Settings are the settings that the daemon and its clients need before the wiring.
type Settings struct {
	Store     Store
	Server    Server
	Node      Node
	Log       Log
	Grace     time.Duration // server.grace: how long a stop waits for running attempts; default 30s
	Retention Retention
	Timezone  string // the zone of schedules that name none; default UTC. A reload applies it
}

// Retention are how long, and how much, the store keeps; 0: off. A reload applies them.
type Retention struct {
	Events time.Duration // retention.events; default 30 days
	Size   int64         // retention.size, in bytes; default off
	Dedupe time.Duration // retention.dedupe; default 30 days
}

// Node says who a daemon is among those that share a store.
type Node struct {
	Name   string   // empty: the name of its machine
	Labels []string // that the nodes of handlers may name
}

// Server are the settings of the control socket and the daemon.
type Server struct {
	Socket      string      // absolute; default evrun.sock beside the file
	SocketMode  os.FileMode // default 0600, or 0660 with a SocketGroup
	SocketGroup string      // a group's name or number; default: the group of evrun's user
	MaxEvent    int         // the largest data of an event, in bytes; default 1 MiB
	Watch       bool        // read the wiring file again when it changes; default true

	Listen         string         // host:port of the TCP port; empty: none
	TLS            TLS            // of the TCP port
	Insecure       bool           // other machines reach the TCP port without TLS
	Hosts          []string       // more names that clients call the TCP port by, in lower case
	TrustedProxies []netip.Prefix // whose word about the sender of a request is taken
	MaxConnections int            // at the same time, on the socket and by TCP each
	MaxStreams     int            // at the same time
}

// TLS are the files of the TCP port's certificate; absolute. The zero value is no TLS.
type TLS struct {
	Cert, Key string
	ClientCA  string // who signs the certificates of clients; empty: they need none
}

// On reports whether there is a certificate.
func (t TLS) On() bool { return t.Cert != "" }

// Log are the daemon's log.
type Log struct {
	Level  slog.Level // default info
	Format string     // "auto" (default), "text" or "json"
}

// Differing returns the names of the groups of settings in which s and another differ, of those that only a restart applies.
func (s Settings) Differing(other Settings) []string {
	var names []string
	for _, d := range []struct {
		name string
		same bool
	}{
		{"store", s.Store == other.Store}, {"server", reflect.DeepEqual(s.Server, other.Server) && s.Grace == other.Grace}, {"node", reflect.DeepEqual(s.Node, other.Node)}, {"log", s.Log == other.Log},
	} {
		if !d.same {
			names = append(names, d.name)
		}
	}
	return names
}
