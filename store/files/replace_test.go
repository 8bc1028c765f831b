package files_test

import (
	"os"
	"runtime"
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

// A rewritten file keeps its mode, and a link to it stays a link.
func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/evrun.yaml", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("evrun.yaml", dir+"/link.yaml"); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{"/evrun.yaml", "/link.yaml"} {
		if err := files.Rewrite(dir+path, []byte("new of "+path)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(dir + "/evrun.yaml")
		info, serr := os.Lstat(dir + "/evrun.yaml")
		if err != nil || serr != nil || string(text) != "new of "+path || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%q, %v, %v", text, info, err)
		}
	}
	if to, err := os.Readlink(dir + "/link.yaml"); to != "evrun.yaml" {
		t.Error(to, err)
	}
	if err := files.Rewrite(dir+"/none.yaml", nil); err == nil {
		t.Error("a file that does not exist")
	}
	if err := files.Rewrite(dir, nil); err == nil {
		t.Error("a directory was replaced")
	}
}
