package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"evrun/tasks/fault"
)

func TestAFaultReadsAsOneLine(t *testing.T) {
	f := fault.At([]any{"headers", "X-Trace", 2}, "it must be %s", "a text").Hinting("quote it")
	moved := f.Within("handlers", 0, "with")
	if got, want := moved.Error(), `handlers[0].with.headers["X-Trace"][2]: it must be a text; quote it`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := f.Error(), `headers["X-Trace"][2]: it must be a text; quote it`; got != want {
		t.Errorf("Within changed the original: %s", got)
	}
	if fault.New("no").Error() != "no" {
		t.Error("a fault without path and hint has more than its message")
	}
}

type placed struct{}

func (placed) Error() string                { return "at 3: broken" }
func (placed) Fault() (int, string, string) { return 3, "broken", "mend it" }

func TestErrorsBecomeFaults(t *testing.T) {
	f := fault.New("x")
	if got := fault.Of(fmt.Errorf("read: %w", f)); got != f {
		t.Errorf("a wrapped fault became another: %v", got)
	}
	got := fault.Of(fmt.Errorf("read: %w", placed{}))
	if got.Offset != 3 || got.Message != "broken" || got.Hint != "mend it" || !errors.Is(got, placed{}) {
		t.Errorf("got %+v", got)
	}
	plain := errors.New("plain")
	if got := fault.Of(plain); got.Message != "plain" || !errors.Is(got, plain) {
		t.Errorf("got %+v", got)
	}
	if fault.Of(nil) != nil {
		t.Error("no error became a fault")
	}
}

func TestTextHelpers(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{fault.Clip("äöü", 3), "äöü"},
		{fault.Clip("äöüß", 3), "äöü…"},
		{fault.Quote("a\"b"), `"a\"b"`},
		{fault.Plural(1, "run"), "1 run"},
		{fault.Plural(0, "run"), "0 runs"},
		{fault.And(nil), ""},
		{fault.And([]string{"a"}), "a"},
		{fault.Or([]string{"a", "b"}), "a or b"},
		{fault.And([]string{"a", "b", "c"}), "a, b and c"},
		{fault.Closest("datta", []string{"event", "data"}), "data"},
		{fault.Closest("Data", []string{"data"}), "data"},
		{fault.Closest("dtaa", []string{"data"}), "data"},
		{fault.Closest("x", []string{"y"}), ""},
		{fault.Closest("order", []string{"data"}), ""},
		{fault.Closest("a", nil), ""},
		{fault.DidYouMean("evnt", []string{"event"}), `did you mean "event"?`},
		{fault.DidYouMean("banana", []string{"event"}), ""},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
