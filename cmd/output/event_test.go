package output_test

import (
	"errors"
	"testing"

	"evrun/cmd/output"
	"evrun/events"
)

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestEventDetailsFailWhereTheOutputDoes(t *testing.T) {
	p := &output.Printer{Out: full{}}
	for _, data := range []string{"", `{"a":1}`} {
		if err := p.EventDetails(&events.Event{ID: "one", Type: "a.b", Data: []byte(data)}, ""); !errors.Is(err, errFull) {
			t.Errorf("with the data %q: %v", data, err)
		}
	}
}
