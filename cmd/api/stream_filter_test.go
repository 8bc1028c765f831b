package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/events"
	"evrun/tasks/emitter"
)

// publish publishes an event, and returns its seq.
func (d *daemon) publish(typ, source, data string) string {
	d.t.Helper()
	r, err := emitter.New(d.store, 0).Emit(d.t.Context(), &events.Event{Type: typ, Source: source, Data: json.RawMessage(data)})
	if err != nil {
		d.t.Fatal(err)
	}
	return fmt.Sprint(r[0].Sequence)
}

// upTo reads the ids of events up to one of the type z.end.
func (r *reader) upTo() (ids []string) {
	r.t.Helper()
	for {
		switch b := r.next(); {
		case b.kind != "event":
		case strings.Contains(b.data, `"type":"z.end"`):
			return ids
		default:
			ids = append(ids, b.id)
		}
	}
}

func TestAStreamSendsWhatItsFilterSelects(t *testing.T) {
	d := serve(t)
	publish := func() {
		d.publish("a.b", "/one", `{"n":1}`)
		d.publish("a.b", "/two", `{"n":2,"who":"Ada"}`)
		d.publish("a.c", "/one", `{"n":3}`)
		d.publish("c.d", "/two", `{"n":4,"who":"Ada"}`)
		d.publish("c.d", "/two", `{"n":"text"}`)
	}
	for _, x := range []struct {
		query string
		want  []int // the places, from 1
	}{
		{"type=a.*,z.end", []int{1, 2, 3}},
		{"type=a.*&type=c.d&type=z.end", []int{1, 2, 3, 4, 5}},
		{"source=/two", []int{2, 4, 5}},
		{"type=c.d,z.end&source=/two", []int{4, 5}},
		{"where=" + url.QueryEscape(`data?.who == "Ada" or event.type == "z.end"`), []int{2, 4}},
		{"type=a.b,z.end&where=" + url.QueryEscape(`data?.n == 1 or event.type == "z.end"`), []int{1}},
		{"where=" + url.QueryEscape(`event.source == "/one" or event.type == "z.end"`), []int{1, 3}},
	} {
		t.Run(x.query, func(t *testing.T) {
			d.t = t
			head, err := d.store.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := []string{}
			for _, n := range x.want {
				want = append(want, fmt.Sprint(head+int64(n)))
			}
			live := d.read("?"+x.query, "")
			live.want(fmt.Sprint(head), "head")
			publish()
			d.publish("z.end", "/two", `{}`)
			if got := live.upTo(); !slices.Equal(got, want) {
				t.Errorf("live: %v, want %v", got, want)
			}
			if got := d.read("?"+x.query, fmt.Sprint(head)).upTo(); !slices.Equal(got, want) {
				t.Errorf("of the journal: %v, want %v", got, want)
			}
		})
	}
}

func TestAStreamFollowsAChain(t *testing.T) {
	d := serve(t)
	first := d.publish("a.b", "", `{}`)
	r := d.read("?chain="+first, "0")
	r.want("0", "head")
	r.want(first, "event")
	d.publish("a.b", "", `{}`) // begins another one
	child := &events.Event{Type: "a.c", Source: "/x", ID: "child", Chain: 1, Hops: 1}
	if _, err := d.store.Append(t.Context(), []*events.Event{child}); err != nil {
		t.Fatal(err)
	}
	r.want("3", "event")
}

func TestAStreamOfRunsHasOnlyThoseOfItsFilter(t *testing.T) {
	labeled := dying("labeled")
	labeled.Labels = map[string]string{"team": "shop"}
	d := serve(t, dying("one"), dying("two"), labeled)
	for query, want := range map[string]string{
		"handler=one":             "one dead",
		"handler=one&state=dead":  "one dead",
		"label=team%3Dshop":       "labeled dead",
		"state=dead&handler=two":  "two dead",
		"handler=two&source=/yes": "two dead",
		"where=" + url.QueryEscape(`run.handler == "two" and run.state == "dead" and data.n == 1`):             "two dead",
		"handler=one&state=dead&where=" + url.QueryEscape(`event.source == "/yes" and run.error contains "b"`): "one dead",
	} {
		t.Run(query, func(t *testing.T) {
			d.t = t
			r := d.read("?"+query, "")
			r.next()
			other := d.publish("a.b", "/no", `{"n":2}`)
			seq := d.publish("a.b", "/yes", `{"n":1}`)
			for {
				b := r.next()
				var run api.Run
				if err := json.Unmarshal([]byte(b.data), &run); err != nil || b.kind != "run" {
					t.Fatalf("%+v, %v", b, err)
				}
				if name := strings.Fields(want)[0]; run.Handler != name {
					t.Fatalf("a run of %s: %+v", run.Handler, run)
				}
				if !strings.Contains(query, "handler") && !strings.Contains(query, "label") && run.State != "dead" {
					t.Fatalf("%+v", run)
				}
				if fmt.Sprint(run.Sequence) == seq && run.Handler+" "+run.State == want {
					return
				}
				if strings.Contains(query, "source") && fmt.Sprint(run.Sequence) == other {
					t.Fatalf("a run of another source: %+v", run)
				}
			}
		})
	}
}

func TestWrongFiltersOfAStreamAreRefused(t *testing.T) {
	d := serve(t)
	for query, want := range map[string]string{
		"type=a..b":                            "two dots",
		"where=dta.n":                          "data",
		"state=deaf":                           "dead",
		"state=waiting":                        "state=waiting",
		"until=2100-01-01T00:00:00Z":           "unknown parameter",
		"event=1":                              "unknown parameter",
		"chain=99":                             "99",
		"label=team%3Dnone":                    "label",
		"after=x":                              "after",
		"since=soon":                           "since",
		"where=" + strings.Repeat("1", 20_000): "longer",
		"where=" + url.QueryEscape(strings.Repeat("(", 5000)): "where",
	} {
		res, body := d.call("GET", "/v1/stream?"+query, "", "")
		if res.StatusCode < 400 || res.StatusCode >= 500 || !strings.Contains(body, want) || len(body) > 2000 {
			t.Errorf("%.60s: %d %.300s", query, res.StatusCode, body)
		}
	}
	for _, id := range []string{"-1", "x", "99999999999999999999", strings.Repeat("9", 30_000), "0x1", "1;2"} {
		if res, body := d.call("GET", "/v1/stream", "", "", "Last-Event-ID", id); res.StatusCode != http.StatusBadRequest || len(body) > 2000 {
			t.Errorf("Last-Event-ID %.20q: %d %.300s", id, res.StatusCode, body)
		}
	}
}

func TestAConditionThatFailsLeavesTheEventOut(t *testing.T) {
	d := serve(t)
	where := "?where=" + url.QueryEscape(`data.n.m > 1`)
	live := d.read(where, "")
	live.want("0", "head")
	d.publish("a.b", "", `{}`)
	second := d.publish("a.b", "", `{"n":{"m":2}}`)
	for name, r := range map[string]*reader{"live": live, "of the journal": d.read(where+"&after=0", "")} {
		failed, sent := false, false
		for !failed || !sent {
			switch b := r.next(); b.kind {
			case "failed":
				failed = strings.Contains(b.data, "event #1: ") && b.id == ""
			case "event":
				if sent = b.id == second; !sent {
					t.Fatalf("%s: %+v", name, b)
				}
			}
		}
	}
}

// TestASlowConditionMakesOnlyItselfLate: streams whose conditions use up their whole budget for each event don't keep others from their events.
func TestASlowConditionMakesOnlyItselfLate(t *testing.T) {
	d := serve(t)
	const n = 300
	for i := range 10 {
		where := fmt.Sprintf(`sum(map(1..1000, sum(map(1..1000, # * %d)))) < 0`, i+1)
		d.read("?where="+url.QueryEscape(where), "").want("0", "head")
	}
	honest := d.read("?where="+url.QueryEscape(`data?.n % 10 == 0`), "")
	honest.want("0", "head")
	for i := range n {
		d.publish("a.b", "", fmt.Sprintf(`{"n":%d}`, i))
	}
	for i := 0; i < n; i += 10 {
		honest.want(fmt.Sprint(i+1), "event")
	}
}
