package disk

import (
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
	if err := CreatePrivate(exists); err != nil {
		t.Fatal(err)
	}
	for number, name := range map[int64]string{0x6969: "NFS", 0x517b: "SMB", 0xfe534d42: "SMB", 0xff534d42: "CIFS"} {
		on(t, number)
		for what, path := range map[string]string{"a new store": filepath.Join(t.TempDir(), "evrun.db"), "a store that exists": exists} {
			if _, err := Resolve(path); err == nil || !strings.Contains(err.Error(), "is on a network file system ("+name+"), where SQLite's locks don't hold: use a local disk") {
				t.Errorf("%s on %s: %v", what, name, err)
			}
			if !Distant(filepath.Dir(path)) {
				t.Errorf("%s on %s is not distant", what, name)
			}
		}
	}
}

func TestALocalFileSystemIsNotRefused(t *testing.T) {
	for name, number := range map[string]int64{"ext4": 0xef53, "xfs": 0x58465342, "btrfs": 0x9123683e, "tmpfs": 0x01021994, "overlay": 0x794c7630} {
		on(t, number)
		if _, err := Resolve(filepath.Join(t.TempDir(), "evrun.db")); err != nil || Distant(t.TempDir()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	statfs = func(string, *unix.Statfs_t) error { return unix.ENOSYS }
	if err := refuseNetwork(t.TempDir()); err != nil {
		t.Errorf("a system that doesn't say: %v", err)
	}
}
