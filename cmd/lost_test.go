package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/events"
)

// TestADaemonWhoseFilesAreLostStops: if a file of the store is removed or replaced, the daemon ends, with the reason. It doesn't change the new file.
func TestADaemonWhoseFilesAreLostStops(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		for _, replaced := range []bool{false, true} {
			name := "evrun.db" + suffix
			words := name + " was removed"
			if replaced {
				words = name + " is another file now"
			}
			t.Run(words, func(t *testing.T) {
				t.Parallel()
				dir := wired(t, "handlers: [{name: log, on: a.b, do: log, with: {message: hello}}]\n")
				path := filepath.Join(dir, name)
				d := serve(t, dir, nil)
				d.ready(t)
				if _, err := d.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: "1", Source: "/test"}); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(path, filepath.Join(dir, "away")); err != nil {
					t.Fatal(err)
				}
				if replaced {
					if err := os.WriteFile(path, []byte("another store's"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if code := d.code(t); code != 1 || !strings.Contains(d.log.String(), "the store's file was removed or replaced: "+filepath.Join(dir, words)) {
					t.Errorf("exit %d: %s", code, d.log)
				}
				if _, err := d.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: "2", Source: "/test"}); err == nil {
					t.Error("an event was accepted")
				}
				if text, err := os.ReadFile(path); replaced && string(text) != "another store's" {
					t.Errorf("what is in its place: %q, %v", text, err)
				}
			})
		}
	}
}

// TestARemovedSocketIsMadeAgain: the daemon creates the socket and the notes of its address again.
func TestARemovedSocketIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := wired(t, "handlers: []\n")
	runtime := t.TempDir()
	d := serve(t, dir, []string{"XDG_RUNTIME_DIR=" + runtime})
	d.ready(t)
	notes := func() (list []string) {
		list, err := filepath.Glob(filepath.Join(runtime, "evrun", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	socket := filepath.Join(dir, "evrun.sock")
	for range 2 {
		if err := os.Remove(socket); err != nil {
			t.Fatal(err)
		}
		for _, note := range notes() {
			if err := os.Remove(note); err != nil {
				t.Fatal(err)
			}
		}
		d.client.CloseIdleConnections()
		d.ready(t)
		eventuallyTrue(t, "the address is noted", func() (bool, string) { return len(notes()) == 1, "" })
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	d.stop(t)
	if _, err := os.Stat(socket); err == nil || len(notes()) != 0 {
		t.Errorf("left behind: %v, %v", err, notes())
	}
}
