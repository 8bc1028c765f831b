package output

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/tasks/control"
)

// On a terminal of 80 columns it is still seen what runs, what is tried again and what is dead.
func TestANarrowStatusKeepsWhatRunsAndRetries(t *testing.T) {
	rate := 12
	h := control.HandlerStatus{Rate: &rate}
	h.Last, h.LastError = &control.Result{State: "succeeded", At: time.Now()}, &control.Failure{At: time.Now(), Error: strings.Repeat("connection refused ", 5)}
	h.Name, h.State = "save-user", control.StateActive
	var out bytes.Buffer
	if err := (&Printer{Out: &out, Width: 80}).Status(api.Status{Handlers: []control.HandlerStatus{h}}, true); err != nil {
		t.Fatal(err)
	}
	for _, title := range []string{"HANDLER", "WAITING", "RUNNING", "RETRYING", "DEAD", "LAST ERROR"} {
		if !strings.Contains(out.String(), title) {
			t.Errorf("no %s in\n%s", title, &out)
		}
	}
}
