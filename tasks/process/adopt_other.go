//go:build !linux

package process

import (
	"context"
	"syscall"
)

// Adopt does nothing: this system has no subreapers.
func Adopt() error { return nil }

// Hide does nothing.
func Hide() error { return nil }

// Reap returns when ctx ends.
func Reap(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// EndLeftovers does nothing.
func EndLeftovers(context.Context, string) (ended int, left []int) { return 0, nil }

func reap()      {}
func lookAgain() {}

func (f *family) leftAny() bool     { return false }
func (f *family) members() []member { return nil }

func signal([]member, syscall.Signal) {}
