package handlers

import (
	"testing"

	"go.uber.org/goleak"
)

// No attempt may leave a goroutine behind, whatever its server does.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
