package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/store"
)

func TestAReplacedFileIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	create := func(t *testing.T, name string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	create(t, path)
	if _, err := Identify(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a lock: %v", err)
	}
	create(t, path+".lock")
	if o, err := Identify(path); err != nil || len(o) != 2 || o.Replaced() != nil {
		t.Errorf("without a log: %v, %v", o, err)
	}
	create(t, path+"-wal")
	create(t, path+"-shm")
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		o, err := Identify(path)
		if err != nil || len(o) != 4 {
			t.Fatal(o, err)
		}
		create(t, path+suffix) // written, but the same file
		if err := o.Replaced(); err != nil {
			t.Errorf("%q is written: %v", suffix, err)
		}
		if err := os.Rename(path+suffix, path+".old"); err != nil {
			t.Fatal(err)
		}
		if err := o.Replaced(); !errors.Is(err, store.ErrReplaced) || !strings.HasSuffix(err.Error(), path+suffix+" was removed") {
			t.Errorf("%q is removed: %v", suffix, err)
		}
		create(t, path+suffix)
		if err := o.Replaced(); !errors.Is(err, store.ErrReplaced) || !strings.HasSuffix(err.Error(), path+suffix+" is another file now") {
			t.Errorf("%q is replaced: %v", suffix, err)
		}
	}
}

func TestOneProcessHasTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db.lock")
	l, note, err := Acquire(path)
	if err != nil || note != "" {
		t.Fatal(note, err)
	}
	if _, _, err := Acquire(path); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), ": process ") {
		t.Errorf("the second: %v", err)
	}
	l.Release()
	if l, _, err = Acquire(path); err != nil {
		t.Fatalf("after the first: %v", err)
	}
	l.Release()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if l, note, err = Acquire(path); err != nil || !strings.Contains(note, "was open to others") {
		t.Errorf("an open one: %q, %v", note, err)
	} else {
		l.Release()
	}
}

func TestAStoresFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	for range 2 {
		if err := CreatePrivate(path); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if err := CreatePrivate(filepath.Join(path, "below", "a", "file")); err == nil {
		t.Error("a file below a file")
	}
}

func TestAStoresOpenFilesAreCorrected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.WriteFile(path+suffix, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path+suffix, 0o644); err != nil {
			t.Fatal(err)
		}
		var notes []string
		if err := MendPrivate(path, func(note string) {
			if note != "" {
				notes = append(notes, note)
			}
		}); err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0], path+suffix+" was open to others") {
			t.Errorf("%q: %q, %v", suffix, notes, err)
		}
		if info, err := os.Stat(path + suffix); err != nil || info.Mode() != 0o600 {
			t.Errorf("%q: %v, %v", suffix, info, err)
		}
	}
}

func TestALinkIsNoFileOfAStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evrun.db")
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if err := CheckPrivate(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("elsewhere", path+suffix); err != nil {
			t.Fatal(err)
		}
		if err := CheckPrivate(path); err == nil || !strings.Contains(err.Error(), "a symbolic link") {
			t.Errorf("%q is a link: %v", suffix, err)
		}
		if err := os.Remove(path + suffix); err != nil {
			t.Fatal(err)
		}
	}
}
