package webhook

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/config"
	"evrun/cmd/foreign"
	"evrun/cmd/format"
)

var update = flag.Bool("update", false, "write the golden files")

func optionsFor(path string) Options {
	return Options{Source: filepath.Base(path), Dir: "/etc/webhook", Listen: "127.0.0.1:9000"}
}

func hooksFiles(t testing.TB) (paths []string) {
	for _, pattern := range []string{"testdata/*.json", "testdata/*.yml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) < 10 {
		t.Fatalf("%d files", len(paths))
	}
	return paths
}

// check validates a wiring file as the command does.
func check(wiring []byte) (map[int]string, error) {
	return foreign.Check(config.Options{Getenv: func(string) string { return "" }}, wiring)
}

func TestHooksFilesBecomeTheseWirings(t *testing.T) {
	for _, path := range hooksFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o := optionsFor(path)
		o.Check = check
		r, err := Convert(text, o)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		golden := strings.TrimSuffix(path, filepath.Ext(path)) + ".yaml"
		if *update {
			if err := os.WriteFile(golden, r.Wiring, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != string(r.Wiring) {
			t.Errorf("%s (-update writes it): %v\n%s", golden, err, r.Wiring)
		}
		if formatted, err := format.Text(string(r.Wiring)); err != nil || formatted != string(r.Wiring) {
			t.Errorf("%s is not formatted: %v\n%s", golden, err, formatted)
		}
	}
}

// Any text gives a valid wiring file, or an error.
func FuzzConvert(f *testing.F) {
	for _, path := range hooksFiles(f) {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := optionsFor("hooks.json")
		o.Check = check
		r, err := Convert(text, o)
		if err != nil {
			t.Skip(err)
		}
		if faults, err := o.Check(r.Wiring); err != nil || len(faults) > 0 {
			t.Errorf("%v %v\n%s", faults, err, r.Wiring)
		}
	})
}
