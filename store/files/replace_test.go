package files_test

import (
	"os"
	"testing"

	"evrun/store/files"
)

// A file is replaced at once, and an error leaves nothing behind.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"first", "second"} {
		if err := files.Replace(dir+"/evrun.prom", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(dir + "/evrun.prom"); string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := files.Replace(dir+"/none/evrun.prom", nil); err == nil {
		t.Error("a directory that does not exist")
	}
	if err := os.Mkdir(dir+"/taken", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := files.Replace(dir+"/taken", nil); err == nil {
		t.Error("a directory was replaced")
	}
	found, err := os.ReadDir(dir)
	if err != nil || len(found) != 2 {
		t.Errorf("%v, %v", found, err)
	}
	if info, err := os.Stat(dir + "/evrun.prom"); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v: the collector can't read it", info.Mode(), err)
	}
}
