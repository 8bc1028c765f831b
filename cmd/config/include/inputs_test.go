package include

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write writes a file below a directory, in place.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	_ = os.Remove(path) // it may not be there
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// Each change is seen by a look, and by a comparison of the texts: also of files that could not be read, and of directories that did not exist.
func TestChangesAreSeen(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, dir string){
		"a text":                       func(t *testing.T, dir string) { write(t, dir, "a.yaml", "a: 22\n") },
		"a file of a pattern":          func(t *testing.T, dir string) { write(t, dir, "conf.d/1.yaml", "b: 22\n") },
		"a new file":                   func(t *testing.T, dir string) { write(t, dir, "conf.d/2.yaml", "") },
		"a removed file":               func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "conf.d/1.yaml")) },
		"a renamed file":               func(t *testing.T, dir string) { rename(t, dir, "conf.d/1.yaml", "conf.d/3.yaml") },
		"a file that was missing":      func(t *testing.T, dir string) { write(t, dir, "missing.yaml", "") },
		"a directory that was missing": func(t *testing.T, dir string) { write(t, dir, "later/x/1.yaml", "") },
		"a removed directory":          func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "conf.d")) },
		"a link of a link":             func(t *testing.T, dir string) { link(t, "v2", filepath.Join(dir, "map/..data")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a := write(t, dir, "a.yaml", "a: 1\n")
			write(t, dir, "conf.d/1.yaml", "b: 1\n")
			write(t, dir, "map/v1/m.yaml", "c: 1\n")
			write(t, dir, "map/v2/m.yaml", "c: 2\n")
			link(t, "v1", filepath.Join(dir, "map/..data"))
			link(t, "..data/m.yaml", filepath.Join(dir, "map/m.yaml"))
			in := new(Inputs)
			if _, err := in.Read(a, true); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Read(filepath.Join(dir, "missing.yaml"), true); err == nil {
				t.Fatal("a missing file was read")
			}
			for pattern, want := range map[string]int{"conf.d/*.yaml": 1, "later/*/*.yaml": 0, "map/*.yaml": 1} {
				found, err := in.Expand(dir, pattern)
				if err != nil || len(found) != want {
					t.Fatalf("%s: %v, %v", pattern, found, err)
				}
				for _, path := range found {
					if _, err := in.Read(path, true); err != nil {
						t.Fatal(err)
					}
				}
			}
			now := time.Now()
			before := in.Look(now)
			if in.Changed() || in.Look(now) != before {
				t.Fatal("it has changed before it was changed")
			}
			write(t, dir, "conf.d/.1.yaml.swp", "x")
			write(t, dir, "conf.d/1.yaml~", "x")
			if in.Changed() || in.Look(now) != before {
				t.Error("what an editor leaves behind is a change")
			}
			change(t, dir)
			if !in.Changed() || in.Look(now) == before {
				t.Errorf("not seen: Changed %v, Look %v", in.Changed(), in.Look(now) != before)
			}
		})
	}
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

// Two changes can have the same size and time. A file that has just changed is looked at again later.
func TestAYoungFileIsLookedAtAgain(t *testing.T) {
	path := write(t, t.TempDir(), "a.yaml", "a: 1\n")
	in := new(Inputs)
	if _, err := in.Read(path, true); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	first := in.Look(at)
	write(t, filepath.Dir(path), "a.yaml", "a: 2\n")
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if in.Look(at) != first {
		t.Skip("this file system tells them apart")
	}
	if later := at.Add(2 * young); in.Look(later) == first || in.Look(later) != in.Look(later.Add(time.Hour)) || !in.Changed() {
		t.Error("a second change in the same instant is never seen")
	}
}

// A file that is read again is one input, unless it has changed meanwhile: then the readings are not of one time.
func TestAFileThatIsReadTwiceIsOneInput(t *testing.T) {
	path := write(t, t.TempDir(), "holidays.ics", "1")
	in := new(Inputs)
	for _, text := range []string{"1", "1", "2"} {
		write(t, filepath.Dir(path), "holidays.ics", text)
		if _, err := in.Read(path, true); err != nil {
			t.Fatal(err)
		}
		if changed := text == "2"; in.Changed() != changed || len(in.Files()) == 1 == changed {
			t.Errorf("%s: %v, %v", text, in.Changed(), in.Files())
		}
	}
}

func TestPatterns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[odd]*dir")
	for _, name := range []string{"a.yaml", "b.yaml", "b[1].yaml", ".c.yaml", "x/a.yaml", "y/a.yaml", ".z/a.yaml", "y/.a.yaml", "#d.yaml"} {
		write(t, dir, name, "")
	}
	for pattern, want := range map[string]string{
		"*.yaml": "a.yaml b.yaml b[1].yaml", "?.yaml": "a.yaml b.yaml", "[^a].yaml": "b.yaml", `b\[1].yaml`: "b[1].yaml",
		"*/a.yaml": "x/a.yaml y/a.yaml", "*/*": "x/a.yaml y/a.yaml", ".*.yaml": ".c.yaml", ".z/*.yaml": ".z/a.yaml", ".?/*.yaml": ".z/a.yaml",
		"x/../*.yaml": "a.yaml b.yaml b[1].yaml", "./a*": "a.yaml", "none/*": "", "a.yaml/*": "error", "*": "a.yaml b.yaml b[1].yaml", "#*": "#d.yaml",
	} {
		got := ""
		found, err := new(Inputs).Expand(dir, pattern)
		if err != nil {
			got = "error "
		}
		for _, path := range found {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				t.Fatal(err)
			}
			got += filepath.ToSlash(rel) + " "
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
	found, err := new(Inputs).Expand("/nowhere", filepath.Dir(dir)+"/?odd]*/a*")
	if err != nil || len(found) != 1 || found[0] != filepath.Join(dir, "a.yaml") {
		t.Errorf("an absolute pattern: %v, %v", found, err)
	}
}
