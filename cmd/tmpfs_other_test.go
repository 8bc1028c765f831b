//go:build !linux

package cmd_test

import (
	"errors"
	"testing"
)

// tmpfs skips the test.
func tmpfs(t *testing.T, _ string) (dir string, ok bool) {
	t.Helper()
	unable(t, "tmpfs", errors.ErrUnsupported)
	return "", false
}

// mountTmpfs fails.
func mountTmpfs(string, string) (unmount func(), err error) { return nil, errors.ErrUnsupported }
