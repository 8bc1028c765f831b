package daemon

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestNobodyElseCanPlantAnAddress changes a daemon's note, and its directory, to ones that another user could have made.
func TestNobodyElseCanPlantAnAddress(t *testing.T) {
	me := os.Getuid()
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	byLink := func(t *testing.T, path string) {
		must(t, os.Rename(path, path+".real"))
		must(t, os.Symlink(path+".real", path))
	}
	for _, c := range []struct {
		name  string
		user  int // whose note is wanted
		spoil func(t *testing.T, dir, note string)
	}{
		{"another user's", me + 1, func(*testing.T, string, string) {}},
		{"a note that the group can write to", me, func(t *testing.T, _, note string) { must(t, os.Chmod(note, 0o620)) }},
		{"a note that all can write to", me, func(t *testing.T, _, note string) { must(t, os.Chmod(note, 0o602)) }},
		{"a folder that the group can write to", me, func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o730)) }},
		{"a folder that all can write to", me, func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o703)) }},
		{"a link to a note", me, func(t *testing.T, _, note string) { byLink(t, note) }},
		{"a link to a folder", me, func(t *testing.T, dir, _ string) { byLink(t, dir) }},
		{"another file's note", me, func(t *testing.T, _, note string) {
			must(t, os.WriteFile(note, []byte(`{"config":"/srv/other.yaml","socket":"/srv/evrun.sock","store":"/srv/evrun.db"}`), 0o600))
		}},
		{"half a note", me, func(t *testing.T, _, note string) { must(t, os.WriteFile(note, []byte(`{"config":`), 0o600)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "notes")
			a := Address{Config: "/srv/evrun.yaml", Socket: "/srv/evrun.sock", Store: "/srv/evrun.db", MaxEvent: 1}
			must(t, a.rememberIn(dir))
			if got := addressIn(dir, me, a.Config); got == nil || *got != a {
				t.Fatalf("noted as %+v", got)
			}
			c.spoil(t, dir, filepath.Join(dir, addressFile(a.Config)))
			if got := addressIn(dir, c.user, a.Config); got != nil {
				t.Errorf("trusted: %+v", got)
			}
		})
	}
}

// TestAddressesOfDaemonsThatAreGoneAreSwept: each start removes what a killed daemon left behind, and no other note.
func TestAddressesOfDaemonsThatAreGoneAreSwept(t *testing.T) {
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes")
	socket := func(name string) string {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().String()
	}
	living := Address{Config: "/srv/living.yaml", Socket: socket("living"), Store: "/srv/living.db"}
	gone := Address{Config: "/srv/gone.yaml", Socket: filepath.Join(dir, "gone"), Store: "/srv/gone.db"}
	next := Address{Config: "/srv/next.yaml", Socket: socket("next"), Store: "/srv/next.db"}
	for _, a := range []Address{gone, living, next} {
		if err := a.rememberIn(notes); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		a    Address
		kept bool
	}{{gone, false}, {living, true}, {next, true}} {
		if kept := addressIn(notes, os.Getuid(), c.a.Config) != nil; kept != c.kept {
			t.Errorf("%s: kept %v", c.a.Config, kept)
		}
	}
}
