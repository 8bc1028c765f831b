package shape

import (
	"testing"

	"evrun/events"
)

func TestReceiptIsWrittenAsAllJSONIs(t *testing.T) {
	for _, r := range []Receipt{
		{ID: "01a20abe", Source: "/evrun/emit", Sequence: 1},
		{ID: `q"uote\`, Source: "<&>\u2028\x7f\xff", Sequence: 9007199254740993, Duplicate: true},
		{ID: "ключ", Source: "\n\t", Sequence: 42},
		{},
	} {
		want, err := events.MarshalJSON(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.AppendJSON(nil); string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
