package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// on makes every directory appear to be on the file system with this number, until the test ends.
func on(t *testing.T, number int64) {
	t.Helper()
	t.Cleanup(func() { statfs = unix.Statfs })
	statfs = func(_ string, fs *unix.Statfs_t) error {
		fs.Type = number
		return nil
	}
}

// The numbers are those of statfs(2), not the driver's own.
func TestANetworkFileSystemIsRefused(t *testing.T) {
	exists := filepath.Join(t.TempDir(), "evrun.db")
	s, err := Open(exists, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for number, name := range map[int64]string{0x6969: "NFS", 0x517b: "SMB", 0xfe534d42: "SMB", 0xff534d42: "CIFS"} {
		on(t, number)
		path := filepath.Join(t.TempDir(), "evrun.db")
		for what, open := range map[string]func() (*Store, error){
			"a new store":         func() (*Store, error) { return Open(path, Options{}) },
			"a store that exists": func() (*Store, error) { return Open(exists, Options{}) },
			"a store, to be read": func() (*Store, error) { return OpenReader(exists) },
		} {
			if s, err := open(); err == nil || !strings.Contains(err.Error(), "is on a network file system ("+name+"), where SQLite's locks don't hold: use a local disk") {
				t.Errorf("%s on %s: %v", what, name, err)
				if err == nil {
					s.Close()
				}
			}
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the store was created: %v", name, err)
		}
	}
}

func TestALocalFileSystemIsNotRefused(t *testing.T) {
	for name, number := range map[string]int64{"ext4": 0xef53, "xfs": 0x58465342, "btrfs": 0x9123683e, "tmpfs": 0x01021994, "overlay": 0x794c7630} {
		on(t, number)
		s, err := Open(filepath.Join(t.TempDir(), "evrun.db"), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	statfs = func(string, *unix.Statfs_t) error { return unix.ENOSYS }
	if err := refuseNetwork(t.TempDir()); err != nil {
		t.Errorf("a system that doesn't say: %v", err)
	}
}
