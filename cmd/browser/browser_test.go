package browser

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestWhatOpensURLs(t *testing.T) {
	for _, x := range []struct {
		system string
		env    map[string]string
		want   string
	}{
		{"linux", map[string]string{}, ""},
		{"linux", map[string]string{"DISPLAY": ":0"}, "xdg-open"},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open"},
		{"linux", map[string]string{"SSH_CONNECTION": "x"}, ""},
		{"linux", map[string]string{"SSH_CONNECTION": "x", "DISPLAY": "localhost:10.0"}, "xdg-open"}, // ssh -X
		{"darwin", map[string]string{}, "open"},
		{"darwin", map[string]string{"SSH_CONNECTION": "x"}, ""},
		{"windows", map[string]string{}, "rundll32"},
	} {
		got := command(x.system, func(name string) string { return x.env[name] })
		if (got == nil) != (x.want == "") || got != nil && got[0] != x.want {
			t.Errorf("%s %v: %v, want %s", x.system, x.env, got, x.want)
		}
	}
}

func TestTheURLIsOneArgument(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell script")
	}
	dir := t.TempDir()
	opener, said := filepath.Join(dir, "opener"), filepath.Join(dir, "said")
	if err := os.WriteFile(opener, []byte("#!/bin/sh\nprintf '%s' \"$#:$1\" > "+said+".new && mv "+said+".new "+said+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	const url = "http://localhost:7770/sign-in?next=%2Fruns#code=A;B $(C)"
	if open(nil, url) || open([]string{filepath.Join(dir, "nothing")}, url) || !open([]string{opener}, url) {
		t.Fatal("the program was not started, or a missing one was")
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if text, err := os.ReadFile(said); err == nil {
			if string(text) != "1:"+url {
				t.Errorf("%s", text)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it did not run")
		}
		runtime.Gosched()
	}
}
