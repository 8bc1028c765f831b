package process

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sh runs a script with the variables of no other.
func sh(t *testing.T, script string, c Command) (out, errOut string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if c.Path == "" {
		c.Path = "/bin/sh"
	}
	c.Args, c.Stdout, c.Stderr, c.Umask, c.Grace = []string{"sh", "-c", script}, &stdout, &stderr, Inherited, time.Hour
	c.Mark = markOf("1-" + strings.ToLower(t.Name()))
	c.Env = []string{"PATH=" + os.Getenv("PATH"), c.Mark}
	_, err = Run(t.Context(), &c)
	return stdout.String(), stderr.String(), err
}

func TestInputOfEverySizeArrives(t *testing.T) {
	for _, n := range []int{0, 1, 64 << 10, 64<<10 + 1, 1 << 20} { // a pipe holds 64 KiB
		in := bytes.Repeat([]byte("x"), n)
		if out, errOut, err := sh(t, "cat; echo end >&2", Command{Stdin: in}); out != string(in) || errOut != "end\n" || err != nil {
			t.Errorf("%d bytes: got %d, %q, %v", n, len(out), errOut, err)
		}
		if out, _, err := sh(t, "echo unread", Command{Stdin: in}); out != "unread\n" || err != nil {
			t.Errorf("%d bytes: %q, %v", n, out, err)
		}
	}
}

func TestNoDescriptorIsLeftOpen(t *testing.T) {
	run := func() {
		for _, n := range []int{0, 1, 1 << 20} {
			if _, _, err := sh(t, "echo x", Command{Stdin: make([]byte, n)}); err != nil {
				t.Error(err)
			}
			if _, _, err := sh(t, "echo x", Command{Stdin: make([]byte, n), Path: "/does/not/exist"}); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		}
	}
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	run() // some stay open for all commands
	before := open()
	for range 5 {
		run()
	}
	if after := open(); after > before {
		t.Errorf("%d descriptors, then %d", before, after)
	}
}

func TestAnOrphanThatEndsIsReaped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Reap(ctx) }()
	out, _, err := sh(t, "sleep 0.1 >&- 2>&- & echo $!", Command{Leave: true})
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	for unix.Kill(pid, 0) == nil { // a zombie can be signalled
		wait(time.Millisecond, nil)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
