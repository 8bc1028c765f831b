package process

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"testing"
	"time"
)

// BenchmarkRun runs a command that leaves nothing behind, while Reap listens: what it costs to make sure of that shows beside
// a bare start.
func BenchmarkRun(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	reaping := make(chan error, 1)
	go func() { reaping <- Reap(ctx) }()
	c := Command{Path: "/bin/true", Args: []string{"true"}, Stdout: io.Discard, Stderr: io.Discard, Umask: Inherited, Mark: markOf("1-bench"), Grace: time.Hour}
	c.Env = []string{c.Mark}
	for b.Loop() {
		if _, err := Run(b.Context(), &c); err != nil {
			b.Fatal(err)
		}
	}
	stop()
	<-reaping
}

// BenchmarkBareStart: with os/exec, and two pipes.
func BenchmarkBareStart(b *testing.B) {
	for b.Loop() {
		cmd := exec.Command("/bin/true")
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		spawning.RLock()
		err := cmd.Run()
		spawning.RUnlock()
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRunLimited: what limits cost, beside BenchmarkRun.
func BenchmarkRunLimited(b *testing.B) {
	c := Command{Path: "/bin/true", Args: []string{"true"}, Stdout: io.Discard, Stderr: io.Discard, Umask: Inherited, Mark: markOf("1-bench"), Grace: time.Hour}
	c.Env, c.Limits = []string{c.Mark}, Limits{Files: 64}
	for b.Loop() {
		if _, err := Run(b.Context(), &c); err != nil {
			b.Fatal(err)
		}
	}
}
