package output

import (
	"testing"

	"evrun/cmd/api"
)

// An error that only leads to what a command said is shown with its next line.
func TestAReasonSaysWhatTheCommandSaid(t *testing.T) {
	for given, want := range map[string]string{
		"exit code 3:\nno currency\nin it": "exit code 3: no currency",
		"exit code 3:\n\n  no currency":    "exit code 3: no currency",
		"exit code 3:":                     "exit code 3:",
		"refused\nand more":                "refused",
	} {
		if got := why(api.Run{Error: given}); got != want {
			t.Errorf("%q: %q, not %q", given, got, want)
		}
	}
}
