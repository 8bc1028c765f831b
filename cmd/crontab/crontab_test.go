package crontab

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/config"
	"evrun/cmd/foreign"
)

var update = flag.Bool("update", false, "write the golden files")

func optionsFor(path string) Options {
	return Options{
		Source: filepath.Base(path), System: strings.HasPrefix(filepath.Base(path), "system-"), Zone: "Europe/Paris", Me: "root",
		Home: func(user string) string { return map[string]string{"root": "/root", "www-data": "/var/www"}[user] },
	}
}

func crontabs(t testing.TB) (paths []string) {
	paths, err := filepath.Glob("testdata/*.crontab")
	if err != nil || len(paths) != 20 {
		t.Fatalf("%d crontabs: %v", len(paths), err)
	}
	return paths
}

// check validates a wiring file as the command does.
func check(wiring []byte) (map[int]string, error) {
	return foreign.Check(config.Options{Getenv: func(string) string { return "" }}, wiring)
}

func TestCrontabsBecomeTheseWirings(t *testing.T) {
	for _, path := range crontabs(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Convert(text, optionsFor(path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		golden := strings.TrimSuffix(path, ".crontab") + ".yaml"
		if *update {
			if err := os.WriteFile(golden, r.Wiring, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != string(r.Wiring) {
			t.Errorf("%s (-update writes it): %v\n%s", golden, err, r.Wiring)
		}
	}
}

// Which lines are left depends on the machine: it may have no such user, or no such shell. The file is valid all the same.
func TestTheWiringsAreValid(t *testing.T) {
	for _, path := range crontabs(t) {
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
		if faults, err := o.Check(r.Wiring); err != nil || len(faults) > 0 {
			t.Errorf("%s: %v %v\n%s", path, faults, err, r.Wiring)
		}
	}
}

func TestASystemCrontabIsRecognised(t *testing.T) {
	isUser := func(name string) bool { return name == "root" || name == "www-data" || name == "backup" }
	for _, path := range crontabs(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := IsSystem(path, text, isUser), optionsFor(path).System; got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	for text, want := range map[string]bool{
		"": false, "0 0 * * * backup": false, "0 0 * * * backup x": true, "0 0 * * * backup x\n0 0 * * * date": false, "0 0 * * * nobody x\n@daily root x\n": true,
	} {
		if got := IsSystem("x", []byte(text), isUser); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if !IsSystem("/etc/cron.d/x", nil, isUser) {
		t.Error("/etc/cron.d/x is none")
	}
}

// Any text gives a valid wiring file, or an error.
func FuzzConvert(f *testing.F) {
	for _, path := range crontabs(f) {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, strings.Contains(path, "system-"))
	}
	f.Add([]byte("A='$x${\n* * * * * a \u2028${ %$\n@daily \x7f\n0 0 * * * \u0085\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, system bool) {
		r, err := Convert(text, Options{System: system, Zone: "Europe/Paris", Me: "root", Check: check})
		if err != nil {
			t.Skip(err)
		}
		if faults, err := check(r.Wiring); err != nil || len(faults) > 0 {
			t.Errorf("%v %v\n%s", faults, err, r.Wiring)
		}
	})
}
