package storetest

import (
	"os"
	"strconv"
	"testing"
)

// Long reports whether the long proofs run, at their full size: with EVRUN_PROOFS=long, as in .ci/run.
func Long() bool { return os.Getenv("EVRUN_PROOFS") == "long" }

// LongOnly skips a test that always takes long, such as one that waits for a grace period, unless [Long].
func LongOnly(t testing.TB) {
	t.Helper()
	if !Long() {
		t.Skip("a long proof: EVRUN_PROOFS=long runs it")
	}
}

// Size returns the size of a proof: usual or, with [Long], full. The environment variable with this name overrides it.
func Size(t testing.TB, variable string, usual, full int) int {
	t.Helper()
	if text := os.Getenv(variable); variable != "" && text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q is not a number", variable, text)
		}
		return n
	}
	if Long() {
		return full
	}
	return usual
}
