package handlers

import (
	"testing"

	"go.uber.org/goleak"
)

// No attempt may leave a goroutine behind, even with a hostile server.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
