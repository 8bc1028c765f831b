//go:build unix

package process

import (
	"context"
	"io"
	"testing"
	"time"
)

type atOnce struct{}

func (atOnce) Error() string { return "lost" }
func (atOnce) EndsAtOnce()   {}

// A command that ignores SIGTERM has no time left where another daemon may run it again.
func TestACauseThatLeavesNoTimeKillsAtOnce(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { end(atOnce{}) })
	began := time.Now()
	e, err := Run(ctx, &Command{Path: "/bin/sh", Umask: Inherited, Args: []string{"sh", "-c", "trap '' TERM; sleep 20 & wait; sleep 20"}, Stdout: io.Discard, Stderr: io.Discard, Grace: 15 * time.Second})
	if err != nil || !e.Stopped || len(e.Left) > 0 {
		t.Fatalf("%+v %v", e, err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}
