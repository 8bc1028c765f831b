package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"evrun/cmd/api"
)

// binary sends an event in CloudEvents' binary mode, with the attributes that it needs and these headers.
func (d *daemon) binary(headers http.Header) (status int, p api.Problem, body string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://evrun/v1/events", strings.NewReader(`{"a":1}`))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header = http.Header{"Ce-Specversion": {"1.0"}, "Ce-Type": {"a.b"}, "Ce-Source": {"/test"}, "Content-Type": {"application/json"}}
	for name, values := range headers {
		req.Header[name] = values
	}
	res, err := d.http.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		d.t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, p, string(raw)
}

func TestBinaryModeTakesWhatOthersSend(t *testing.T) {
	d := serve(t)
	for id, x := range map[string]struct{ sent, want string }{
		"percent":             {"a%20%22%C3%BC%22", `a "ü"`},
		"lone percent":        {"100%", "100%"},
		"percent of the SDK":  {"50% off %zz %4", "50% off %zz %4"},
		"quoted":              {`"a \"b\" c"`, `a "b" c`},
		"quoted and percent":  {`"Euro %E2%82%AC \\"`, `Euro € \`},
		"quoted in part":      {`"a" and "b"`, `"a" and "b"`},
		"one quote":           {`"`, `"`},
		"quote left open":     {`"a\"`, `"a\"`},
		"UTF-8 as it is":      {"ü", "ü"},
		"percent only once":   {"%2525", "%25"},
		"plus is no space":    {"a+b", "a+b"},
		"backslash by itself": {`a\b`, `a\b`},
	} {
		status, p, body := d.binary(http.Header{"Ce-Id": {id}, "Ce-Subject": {x.sent}})
		if status != http.StatusAccepted {
			t.Errorf("%s: %d %v", id, status, p.Detail)
			continue
		}
		e, err := d.store.Event(t.Context(), id)
		if err != nil || e.Subject != x.want {
			t.Errorf("%s: %q became %+v, %v (%s)", id, x.sent, e, err, body)
		}
	}
}

func TestBinaryModeRefusesWhatIsNotExact(t *testing.T) {
	d := serve(t)
	for _, x := range []struct {
		headers http.Header
		detail  string
	}{
		{http.Header{"Ce-Subject": {"a%FFb"}}, "header ce-subject: its percent-encoding is not valid UTF-8"},
		{http.Header{"Ce-Subject": {"a\xffb"}}, "header ce-subject: its percent-encoding is not valid UTF-8"},
		{http.Header{"Ce-Subject": {"%ED%A0%80"}}, "UTF-8"},
		{http.Header{"Ce-Subject": {"%EF%BF%BE"}}, "U+FFFE, which is not a character"},
		{http.Header{"Ce-Subject": {"%1B%5B31m"}}, "control character U+001B"},
		{http.Header{"Ce-Id": {"1", "2"}}, "header ce-id: given twice"},
		{http.Header{"Ce-Type": {"", "a.b"}}, "header ce-type: given twice"},
		{http.Header{"Ce-Ext": {"1", "1"}}, "header ce-ext: given twice"},
		{http.Header{"Content-Type": {"application/json", "text/plain"}}, "header content-type: given twice"},
		{http.Header{"Ce-Datacontenttype": {"text/plain"}}, "the header Content-Type"},
		{http.Header{"Ce-Data": {"{}"}}, "the data is the body"},
		{http.Header{"Ce-Data_base64": {"e30="}}, "the data is the body"},
		{http.Header{"Ce-Dataschema": {"schema.json"}}, "not an absolute URI"},
		{http.Header{"Ce-Time": {"2026-12-24T8:00:00Z"}}, "RFC 3339"},
		{http.Header{"Ce-Time": {"2026-12-24T18:00:00+24:00"}}, "RFC 3339"},
		{http.Header{"Ce-": {"x"}}, "attribute name"},
		{http.Header{"Ce-A_b": {"x"}}, "attribute name"},
	} {
		if status, p, _ := d.binary(x.headers); status != http.StatusBadRequest || !strings.Contains(p.Detail, x.detail) {
			t.Errorf("%v: %d %s", x.headers, status, p.Detail)
		}
	}
	if head, err := d.store.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("%d events are accepted, %v", head, err)
	}
}

func TestAttributesAreThoseOfCloudEvents(t *testing.T) {
	d := serve(t)
	for text, want := range map[string]string{
		`{"type":"a.b","n":2147483648}`:               "n is 2147483648: an integer has 32 bits",
		`{"type":"a.b","n":-2147483649}`:              "32 bits",
		`{"type":"a.b","n":1.5}`:                      "whole number of 32 bits",
		`{"type":"a.b","dataschema":"x"}`:             "absolute URI",
		`{"type":"a.b","subject":"\ufdd0"}`:           "U+FDD0",
		`{"type":"a.b","time":"2026-1-1T00:00:00Z"}`:  "RFC 3339",
		`{"type":"a.b","time":"2026-12-24T18:00:00"}`: "RFC 3339",
	} {
		for contentType, body := range map[string]string{"application/cloudevents+json": text, "application/cloudevents-batch+json": "[" + text + "]", "application/x-ndjson": text} {
			if _, answer := d.call("POST", "/v1/events", contentType, body); !strings.Contains(answer, want) {
				t.Errorf("%s %s: %s", contentType, text, answer)
			}
		}
	}
	if res, _ := d.call("POST", "/v1/events", "application/cloudevents+json", `{"type":"a.b","n":-2147483648,"dataschema":"urn:a:b"}`); res.StatusCode != http.StatusAccepted {
		t.Errorf("the smallest integer: %d", res.StatusCode)
	}
}

func TestABatchIsAnArrayOfEvents(t *testing.T) {
	d := serve(t)
	for _, x := range []struct {
		body   string
		status int
		answer string
	}{
		{"[]", 200, "[]\n"},
		{" [ ] ", 200, "[]\n"},
		{`[{"type":"a.b","id":"1","source":"/t"}]`, 202, `[{"id":"1","source":"/t","seq":"1","duplicate":false}]` + "\n"},
		{`{"type":"a.b"}`, 400, "a batch is a JSON array of at most 1000 events: must be an array: […] (at byte 0)"},
		{`[`, 400, "ends in the middle"},
		{`[1]`, 400, "event 1 of the batch"},
		{`[{"type":"a.b"},]`, 400, "misspelt"},
		{`[{"type":"a.b"}] x`, 400, "something follows"},
		{"[" + strings.Repeat("1,", 1000) + "1]", 400, "more than 1000"},
		{"null", 400, "must be an array"},
	} {
		res, answer := d.call("POST", "/v1/events", "application/cloudevents-batch+json", x.body)
		if res.StatusCode != x.status || !strings.Contains(answer, x.answer) || strings.Contains(answer, "RawMessage") {
			t.Errorf("%.30s: %d %s", x.body, res.StatusCode, answer)
		}
	}
}

func TestAnEventIsFoundByItsSourceToo(t *testing.T) {
	d := serve(t)
	for _, source := range []string{"/a", "/b"} {
		d.call("POST", "/v1/events", "application/cloudevents+json", `{"type":"x.y","id":"1","source":"`+source+`"}`)
	}
	for query, want := range map[string]string{"?exact=true": `"source":"/b"`, "": `"source":"/a"`, "?source=/a": `"source":"/a"`, "?source=/b": `"source":"/b"`} {
		res, body := d.call("GET", "/v1/events/1"+query, "", "")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, want) || res.Header.Get("Content-Type") != "application/cloudevents+json" {
			t.Errorf("%q: %d %v %s", query, res.StatusCode, res.Header, body)
		}
	}
	if res, body := d.call("GET", "/v1/events/1?source=/c", "", ""); res.StatusCode != http.StatusNotFound || !strings.Contains(body, "/c") {
		t.Errorf("another source: %d %s", res.StatusCode, body)
	}
}
