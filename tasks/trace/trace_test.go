package trace

import (
	"net/http"
	"strings"
	"testing"

	"evrun/events"
)

const (
	id     = "0af7651916cd43dd8448eb211c80319c"
	span   = "b7ad6b7169203331"
	parent = "00-" + id + "-" + span + "-01"
)

// The cases are those of the W3C's own validation service (w3c/trace-context, test/test.py), where it says what a value is.
func TestTraceparents(t *testing.T) {
	for text, want := range map[string]string{
		parent:                          parent,
		"00-" + id + "-" + span + "-00": "00-" + id + "-" + span + "-00",
		"00-" + id + "-" + span + "-03": "00-" + id + "-" + span + "-03", // level 2: the id is random
		"00-" + id + "-" + span + "-ff": "00-" + id + "-" + span + "-03", // flags that nobody knows are cleared
		" \t" + parent + "\t ":          parent,
		"cc-" + id + "-" + span + "-01": parent,
		"cc-" + id + "-" + span + "-01-what-the-future-will-be-like": parent,
		"cc-" + id + "-" + span + "-01.what-the-future-will-be-like": "",
		parent + "-what":                                     "",
		parent + "-":                                         "",
		"ff-" + id + "-" + span + "-01":                      "",
		".0-" + id + "-" + span + "-01":                      "",
		"0.-" + id + "-" + span + "-01":                      "",
		"0-" + id + "-" + span + "-01":                       "",
		"000-" + id + "-" + span + "-01":                     "",
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01": "",
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":   "",
		"00-." + id[1:] + "-" + span + "-01":                 "",
		"00-" + id[1:] + "-" + span + "-01":                  "",
		"00-" + id + "0-" + span + "-01":                     "",
		"00-" + id + "-." + span[1:] + "-01":                 "",
		"00-" + id + "-" + span[1:] + "-01":                  "",
		"00-" + id + "-" + span + "0-01":                     "",
		"00-" + id + "-" + span + "-.0":                      "",
		"00-" + id + "-" + span + "-0.":                      "",
		"00-" + id + "-" + span + "-1":                       "",
		"00-" + id + "-" + span + "-001":                     "",
		strings.ToUpper(parent):                              "",
		"":                                                   "",
		"hello":                                              "",
		strings.Replace(parent, "-", "_", 1):                 "",
		strings.Repeat("a", 5000):                            "",
	} {
		c, ok := Parse(text, "")
		if got := c.Parent(); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, ok, want)
		}
	}
}

func TestTracestates(t *testing.T) {
	var many []string
	for i := range 33 {
		many = append(many, "k"+strings.Repeat("x", i)+"=1")
	}
	var long []string
	for i := range 20 {
		long = append(long, "a"+strings.Repeat("y", i)+"="+strings.Repeat("v", 90-i))
	}
	big := "big=" + strings.Repeat("v", 200)
	for text, want := range map[string]string{
		"foo=1":                                  "foo=1",
		"foo=1,bar=2":                            "foo=1,bar=2",
		"foo=1 \t , \t bar=2, ,":                 "foo=1,bar=2",
		"foo=1,foo=2":                            "foo=1",
		"":                                       "",
		" , ,":                                   "",
		"foo@=1,fo1o@bar=2":                      "foo@=1,fo1o@bar=2",
		"0foo=1":                                 "0foo=1",
		"_foo=1":                                 "",
		"Foo=1":                                  "",
		"foo =1":                                 "",
		"foo=1=2":                                "",
		"foo=bar=":                               "",
		"foo":                                    "",
		"foo=":                                   "",
		"=1":                                     "",
		"foo=a b":                                "foo=a b",
		"foo=a\x00b":                             "",
		"foo=ä":                                  "",
		strings.Repeat("z", 256) + "=1":          strings.Repeat("z", 256) + "=1",
		strings.Repeat("z", 257) + "=1":          "",
		"foo=" + strings.Repeat("z", 256):        "foo=" + strings.Repeat("z", 256),
		"foo=" + strings.Repeat("z", 257):        "",
		strings.Join(many[:32], ","):             strings.Join(many[:32], ","),
		strings.Join(many, ","):                  "",
		strings.Join(long, ","):                  strings.Join(long[:11], ","),
		big + "," + strings.Join(long[:10], ","): strings.Join(long[:10], ","),
	} {
		c, ok := Parse(parent, text)
		if !ok || c.State != want {
			t.Errorf("%q: %q, %v, want %q", text, c.State, ok, want)
		}
	}
}

func TestAContextThatIsNotValidIsRemovedFromItsEvent(t *testing.T) {
	for name, c := range map[string]struct {
		before map[string]any
		want   map[string]any
		ok     bool
	}{
		"none":                {map[string]any{"a": "b"}, map[string]any{"a": "b"}, true},
		"valid":               {map[string]any{"traceparent": parent, "tracestate": "a=1"}, map[string]any{"traceparent": parent, "tracestate": "a=1"}, true},
		"a later version":     {map[string]any{"traceparent": "cc" + parent[2:] + "-x"}, map[string]any{"traceparent": parent}, true},
		"malformed":           {map[string]any{"traceparent": "x", "tracestate": "a=1", "a": int64(1)}, map[string]any{"a": int64(1)}, false},
		"a number":            {map[string]any{"traceparent": int64(5)}, map[string]any{}, false},
		"a malformed state":   {map[string]any{"traceparent": parent, "tracestate": "="}, map[string]any{"traceparent": parent}, true},
		"a state alone":       {map[string]any{"tracestate": "a=1"}, map[string]any{}, false},
		"a state of a number": {map[string]any{"traceparent": parent, "tracestate": true}, map[string]any{"traceparent": parent}, true},
	} {
		e := &events.Event{Extensions: c.before}
		if ok := Clean(e); ok != c.ok || !equal(e.Extensions, c.want) {
			t.Errorf("%s: %v, %v", name, e.Extensions, ok)
		}
	}
}

func equal(a, b map[string]any) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

func TestARequestGivesItsContextToAnEventWithoutOne(t *testing.T) {
	h := http.Header{"Traceparent": {parent}, "Tracestate": {"a=1", "b=2"}}
	e := new(events.Event)
	FromRequest(h, e)
	if !equal(e.Extensions, map[string]any{"traceparent": parent, "tracestate": "a=1,b=2"}) {
		t.Errorf("it has %v", e.Extensions)
	}
	own := "00-" + id + "-" + strings.Repeat("1", 16) + "-00"
	e = &events.Event{Extensions: map[string]any{"traceparent": own}}
	if FromRequest(h, e); e.Extensions["traceparent"] != own || e.Extensions["tracestate"] != nil {
		t.Errorf("its own became %v", e.Extensions)
	}
	e = &events.Event{Extensions: map[string]any{"traceparent": "garbage"}}
	if FromRequest(h, e); e.Extensions["traceparent"] != parent {
		t.Errorf("garbage stayed: %v", e.Extensions)
	}
	h.Add("Traceparent", parent)
	e = new(events.Event)
	if FromRequest(h, e); len(e.Extensions) != 0 {
		t.Errorf("two traceparents gave %v", e.Extensions)
	}
	h["Traceparent"] = []string{parent}
	e.Extensions = map[string]any{}
	for i := range events.MaxExtensions {
		e.Extensions["a"+strings.Repeat("b", i)[:min(i, 30)]+strings.Repeat("c", max(0, i-30))[:min(max(0, i-30), 9)]+string(rune('a'+i%26))+string(rune('a'+i/26))] = "x"
	}
	n := len(e.Extensions)
	if FromRequest(h, e); len(e.Extensions) != n {
		t.Errorf("an event that has no room has %d attributes", len(e.Extensions))
	}
}

func TestWithoutATracerAContextPassesUnchanged(t *testing.T) {
	var none *Tracer
	e := &events.Event{Sequence: 7, Chain: 7, Extensions: map[string]any{"traceparent": parent, "tracestate": "a=1"}}
	if c := none.Attempt(e, "7-a-store", 1); c.Parent() != parent || c.State != "a=1" {
		t.Errorf("%+v", c)
	}
	if c := none.Attempt(&events.Event{Chain: 7}, "7-a-store", 1); c.Valid() {
		t.Errorf("a context from nowhere: %+v", c)
	}
	if n := testing.AllocsPerRun(100, func() { none.Attempt(&events.Event{Chain: 7}, "7-a-store", 1) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIdsStayTheSame(t *testing.T) {
	root := &events.Event{Sequence: 7, Chain: 7}
	one, again := NewTracer("abcdefgh", Sampler{Ratio: 1}), NewTracer("abcdefgh", Sampler{Ratio: 1})
	spanOf := func(t *Tracer, e *events.Event) Context {
		sender, _ := Of(e)
		return t.Event(e.Sequence, e.Chain, sender)
	}
	a, b := spanOf(one, root), spanOf(again, root)
	if a != b || !a.Valid() || !a.Sampled() {
		t.Errorf("%+v, %+v", a, b)
	}
	if c := one.Attempt(root, "7-a-abcdefgh", 1); c.TraceID != a.TraceID || c.SpanID == a.SpanID || c != again.Attempt(root, "7-a-abcdefgh", 1) {
		t.Errorf("%+v", c)
	}
	if one.Attempt(root, "7-a-abcdefgh", 1) == one.Attempt(root, "7-a-abcdefgh", 2) {
		t.Error("two attempts have one span")
	}
	child := &events.Event{Sequence: 9, Chain: 7, Cause: 7}
	if c := spanOf(one, child); c.TraceID != a.TraceID || c.SpanID == a.SpanID {
		t.Errorf("the child's is %+v", c)
	}
	if c := spanOf(NewTracer("other", Sampler{Ratio: 1}), root); c.TraceID == a.TraceID {
		t.Error("two stores share a trace")
	}
	sent := &events.Event{Sequence: 10, Chain: 10, Extensions: map[string]any{"traceparent": parent}}
	if c := spanOf(one, sent); c.TraceID.String() != id || c.SpanID.String() == span {
		t.Errorf("%+v", c)
	}
}

func TestSamplers(t *testing.T) {
	has := func(flags string) *events.Event {
		return &events.Event{Chain: 1, Extensions: map[string]any{"traceparent": "00-" + id + "-" + span + "-" + flags}}
	}
	for name, c := range map[string]struct {
		s                         Sampler
		none, sampled, notSampled bool
	}{
		"parentbased_always_on":  {Sampler{Ratio: 1}, true, true, false},
		"parentbased_always_off": {Sampler{}, false, true, false},
		"always_on":              {Sampler{Ratio: 1, Always: true}, true, true, true},
		"always_off":             {Sampler{Always: true}, false, false, false},
	} {
		tr := NewTracer("x", c.s)
		of := func(e *events.Event) bool {
			sender, _ := Of(e)
			own := tr.Event(e.Sequence, e.Chain, sender)
			if a := tr.Attempt(e, "r", 1); a.Sampled() != own.Sampled() {
				t.Errorf("%s: an event and its attempt differ", name)
			}
			return own.Sampled()
		}
		if of(&events.Event{Chain: 1}) != c.none || of(has("01")) != c.sampled || of(has("00")) != c.notSampled {
			t.Errorf("%s decides otherwise", name)
		}
	}
	half, n := NewTracer("x", Sampler{Ratio: .5}), 0
	for i := range 1000 {
		if own := half.Event(int64(i), int64(i), Context{}); own.Sampled() {
			n++
		}
	}
	if n < 400 || n > 600 {
		t.Errorf("a ratio of one half takes %d of 1000", n)
	}
}

func FuzzContext(f *testing.F) {
	f.Add(parent, "a=1,b=2")
	f.Add("cc"+parent[2:]+"-x", "a=1,a=2,,")
	f.Add("", "=")
	f.Fuzz(func(t *testing.T, p, s string) {
		e := &events.Event{Type: "a", ID: "a", Source: "a", Extensions: map[string]any{"traceparent": p, "tracestate": s}}
		ok := Clean(e)
		if err := e.Validate(); err != nil {
			t.Fatalf("an event is refused for its trace: %v", err)
		}
		c, has := Of(e)
		if ok != has {
			t.Fatalf("%v, and %v", ok, has)
		}
		if !ok {
			if len(e.Extensions) != 0 || (Context{}) != c {
				t.Fatalf("%v is left", e.Extensions)
			}
			return
		}
		again, ok := Parse(c.Parent(), c.State)
		if !ok || again != c || !c.Valid() || len(c.State) > maxState {
			t.Fatalf("%+v became %+v", c, again)
		}
		h := http.Header{}
		c.SetIn(h)
		if text := h.Get("Traceparent") + h.Get("Tracestate"); strings.ContainsAny(text, "\r\n\x00") {
			t.Fatalf("the headers %q", text)
		}
		if OfRequest(h) != c {
			t.Fatalf("the headers of %+v give %+v", c, OfRequest(h))
		}
	})
}
