package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"evrun/store/files"
)

// In a directory that every user can write, a pattern finds only what is ours: anybody can put a file or a link there.
func TestAFindInAnOpenDirectoryMustBeOurs(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, uid int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(path, uid, -1); err != nil {
			t.Skip(err) // only root can
		}
		return path
	}
	ours, other, link := write("ours.yaml", os.Geteuid()), write("other.yaml", 12345), filepath.Join(dir, "link.yaml")
	if err := os.Symlink(ours, link); err != nil {
		t.Skip(err)
	}
	if err := os.Lchown(link, 12345, -1); err != nil {
		t.Skip(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o755: false, 0o777 | os.ModeSticky: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]bool{ours: false, other: refused, link: refused} {
			if _, err := files.TrustedFind(path); (err != nil) != want {
				t.Errorf("%s in a directory with the mode %v: %v", path, mode, err)
			}
		}
	}
}
