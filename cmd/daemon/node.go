package daemon

import (
	"os"

	"evrun/store"
)

// node says who this daemon is among those that share its store; nil: it has the store to itself.
func (d *Daemon) node() *store.Node {
	if !d.cfg.Settings.Store.Shared() {
		return nil
	}
	set := d.cfg.Settings.Node
	n := &store.Node{Name: set.Name, Labels: set.Labels, Version: d.o.Version, Started: d.started, Wiring: d.cfg.Digest()}
	if n.Name == "" {
		n.Name, _ = os.Hostname()
	}
	return n
}
