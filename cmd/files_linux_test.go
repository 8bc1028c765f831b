package cmd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnotherUsersFiles: a store, a lock, a wiring file, a program or a directory of another user is refused, and used only when
// EVRUN_TRUST_FILES says so.
func TestAnotherUsersFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		unable(t, "root", errors.New("files of another user"))
	}
	const somebody = 65534
	for _, c := range []struct {
		name, file string
		mode       os.FileMode // 0: as it is
		group      int         // the file's; its owner is somebody, unless this is set
		command    string
		code       int
		want       string
	}{
		{"a store", "evrun.db", 0, 0, "emit a.b", 1, "evrun.db: it belongs to another user (uid 65534)"},
		{"a lock", "evrun.db.lock", 0, 0, "emit a.b", 1, "evrun.db.lock: it belongs to another user (uid 65534)"},
		{"a wiring file", "evrun.yaml", 0, 0, "validate", 78, "evrun.yaml: the file belongs to another user (uid 65534), who would run commands as root"},
		{"a wiring file that a group can write", "evrun.yaml", 0o664, 4321, "validate", 78, "evrun.yaml: the file can be written by its group (gid 4321, mode 0664)"},
		{"a folder", ".", 0, 0, "serve", 78, "the directory belongs to another user"},
		{"a folder that a group can write", ".", 0o775, 4321, "serve", 78, "the directory can be written by its group"},
		{"a store's folder", "data", 0, 0, "emit a.b", 1, "the directory belongs to another user"},
		{"a program", "run.sh", 0, 0, "validate", 78, "run.sh: the file belongs to another user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, name := "evrun.db", c.file
			if c.file == "data" {
				store = "data/evrun.db"
			}
			dir := wired(t, "store: "+store+"\nhandlers:\n  - {name: run, on: a.c, do: exec, with: {command: [./run.sh]}}\n")
			for _, err := range []error{os.Mkdir(filepath.Join(dir, "data"), 0o700), os.WriteFile(filepath.Join(dir, "run.sh"), []byte("#!/bin/sh\n"), 0o700)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if out, code := run(t, dir, "emit", "a.b"); code != 0 {
				t.Fatalf("exit %d: %s", code, out)
			}
			owner := somebody
			if c.group != 0 {
				owner = 0
			}
			path := filepath.Join(dir, name)
			if err := os.Chown(path, owner, c.group); err != nil {
				t.Fatal(err)
			}
			if c.mode != 0 {
				if err := os.Chmod(path, c.mode); err != nil {
					t.Fatal(err)
				}
			}
			if out, code := run(t, dir, strings.Fields(c.command)...); code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("exit %d: %s", code, out)
			}
			command := c.command
			if command == "serve" {
				command = "validate"
			}
			t.Setenv("EVRUN_TRUST_FILES", "1")
			out, code := run(t, dir, strings.Fields(command)...)
			if code != 0 || !strings.Contains(out, "because of EVRUN_TRUST_FILES=1") {
				t.Errorf("trusted: exit %d: %s", code, out)
			}
		})
	}
}

// TestAnotherUsersJournal: in a sticky directory, such as /tmp, other users can put a rollback journal beside a store. SQLite would write its content
// into the database: this journal truncates the database to its first page.
func TestAnotherUsersJournal(t *testing.T) {
	if os.Geteuid() != 0 {
		unable(t, "root", errors.New("files of another user"))
	}
	dir := wired(t, "handlers: []\n")
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, dir, "emit", "a.b"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	header := append([]byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"), // magic; then records, nonce, pages, sector size, page size
		0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0x10, 0)
	journal := filepath.Join(dir, "evrun.db-journal")
	if err := errors.Join(os.WriteFile(journal, append(header, make([]byte, 512-len(header))...), 0o644), os.Chown(journal, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"emit a.c", "events list", "serve"} {
		if out, code := run(t, dir, strings.Fields(command)...); code != 1 || !strings.Contains(out, "evrun.db-journal: it belongs to another user (uid 65534)") {
			t.Errorf("%s: exit %d: %s", command, code, out)
		}
	}
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, dir, "events", "list"); code != 0 || !strings.Contains(out, "a.b") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestAnotherUsersStoreInTheirFolder: root may use a store that belongs to the owner of its directory.
func TestAnotherUsersStoreInTheirFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		unable(t, "root", errors.New("files of another user"))
	}
	dir := wired(t, "handlers: []\n")
	if out, code := run(t, dir, "emit", "a.b"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	if out, err := exec.Command("chown", "-R", "65534", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, code := run(t, dir, "events", "list"); code != 0 || !strings.Contains(out, "a.b") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestReadOnlyMounts: files on a read-only mount pass, whatever their mode and owner: a bind mount, and a ConfigMap, whose files are links
// into a directory that is replaced as a whole.
func TestReadOnlyMounts(t *testing.T) {
	needNamespaces(t)
	dir := wired(t, "store: ../data/evrun.db\nhandlers: []\n")
	data := filepath.Join(filepath.Dir(dir), "data")
	version := filepath.Join(dir, "..2026_11_26")
	for _, err := range []error{
		os.Mkdir(data, 0o700),
		os.Mkdir(version, 0o777), os.Chmod(version, 0o777),
		os.Rename(filepath.Join(dir, "evrun.yaml"), filepath.Join(version, "evrun.yaml")),
		os.Symlink("..2026_11_26", filepath.Join(dir, "..data")),
		os.Symlink("..data/evrun.yaml", filepath.Join(dir, "evrun.yaml")),
		os.Chmod(filepath.Join(version, "evrun.yaml"), 0o666), os.Chmod(dir, 0o777),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	bin := self(t, t.TempDir(), "evrun")
	emit := bin + " emit a.b -c " + filepath.Join(dir, "evrun.yaml")
	if os.Geteuid() == 0 {
		if err := os.Chown(filepath.Join(version, "evrun.yaml"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		setup string
		code  int
	}{
		{"", 78},
		{fmt.Sprintf("mount --bind %[1]s %[1]s && ", dir), 78},
		{fmt.Sprintf("mount --bind %[1]s %[1]s && mount -o remount,bind,ro %[1]s && ", dir), 0},
	} {
		t.Run(c.setup, func(t *testing.T) {
			p := exec.Command("sh", "-c", "mount --make-rprivate / && "+c.setup+"exec "+emit)
			p.SysProcAttr = isolated()
			out, err := p.CombinedOutput()
			if p.ProcessState == nil || p.ProcessState.ExitCode() != c.code {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
