package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The mode of a request follows from its Content-Type, whatever its case and parameters, else from the Ce- headers (HTTP binding 1.0, 3).
func TestTheModeIsThatOfTheContentType(t *testing.T) {
	d := serve(t)
	const event = `{"specversion":"1.0","type":"a.b","source":"/body","id":"ID","data":1}`
	ce := func(id string) []string {
		return []string{"Ce-Specversion", "1.0", "Ce-Type", "a.b", "Ce-Source", "/header", "Ce-Id", id}
	}
	for i, x := range []struct {
		contentType, body string
		headers           []string
		status            int
		want              string // of the answer, or the event's source
	}{
		{"application/cloudevents+json; charset=utf-8", event, nil, 202, "/body"},
		{"Application/CloudEvents+JSON;charset=\"UTF-8\"", event, nil, 202, "/body"},
		{"application/cloudevents+json; charset=us-ascii", event, nil, 202, "/body"},
		{"application/cloudevents+json", event, ce("other"), 202, "/body"}, // attributes may be repeated in headers
		{"application/cloudevents-batch+json; charset=utf-8", "[" + event + "]", nil, 202, "/body"},
		{"application/x-ndjson; charset=utf-8", event, nil, 200, "/body"},
		{"application/json; charset=utf-8", "1", ce("ID"), 202, "/header"},
		{"application/x-ndjson", "1\n2\n", ce("ID"), 202, "/header"}, // the data of one event
		{"text/plain; odd", "x", ce("ID"), 202, "/header"},
		{"", "", ce("ID"), 202, "/header"},
		{"", "1", ce("ID"), 202, "/header"},

		{"application/cloudevents+json; charset=iso-8859-1", event, nil, 415, "the charset iso-8859-1"},
		{"application/cloudevents-batch+json; charset=utf-16", "[]", nil, 415, "the charset utf-16"},
		{"application/x-ndjson; charset=utf-16", event, nil, 415, "the charset utf-16"},
		{"application/cloudevents+xml", "<event/>", nil, 415, "application/cloudevents+xml is not supported"},
		{"application/cloudevents+avro", "x", ce("ID"), 415, "application/cloudevents+avro is not supported"},
		{"application/cloudevents-batch+xml", "x", nil, 415, "is not supported"},
		{"application/json", event, nil, 415, "/v1/events/TYPE"},
		{"application/x-www-form-urlencoded", event, nil, 415, "curl --json"},
		{"text/plain", event, nil, 415, "application/cloudevents+json"},
		{"", event, nil, 415, "application/cloudevents+json"},
		{"/;", event, nil, 415, "Content-Type"},
		{"application/json", "1", []string{"Ce-Specversion", "1.0", "Ce-Id", "ID"}, 400, "header ce-type: is missing"},
		{"application/json", "1", []string{"Ce-Type", "a.b", "Ce-Specversion", "0.3"}, 400, `header ce-specversion: \"0.3\" is not supported`},
		{"application/json", "{", ce("ID"), 400, "not valid JSON"},
		{"", "{", ce("ID"), 400, "not valid JSON"},
	} {
		id := fmt.Sprint("event-", i)
		headers := make([]string, len(x.headers))
		for j, text := range x.headers {
			headers[j] = strings.ReplaceAll(text, "ID", id)
		}
		res, answer := d.call(http.MethodPost, "/v1/events", x.contentType, strings.ReplaceAll(x.body, "ID", id), headers...)
		if res.StatusCode != x.status || !strings.Contains(answer, x.want) {
			t.Errorf("%q: %d %s", x.contentType, res.StatusCode, answer)
		}
		if x.status == http.StatusUnsupportedMediaType && res.Header.Get("Accept") == "" && x.contentType != "/;" {
			t.Errorf("%q: the answer doesn't say what is accepted", x.contentType)
		}
	}
}

// Data is what the sender had, in every mode: JSON, text and bytes (JSON format 1.0, 3.1).
func TestDataIsAsItsContentTypeSays(t *testing.T) {
	d := serve(t)
	for _, x := range []struct {
		id, attributes string // of structured mode and of batches
		contentType    string // of binary mode, with the data as its body; empty: binary mode can't have it
		data, want     string // what is stored, and what is read
	}{
		{"json", `"data":{"a":1}`, "application/json", `{"a":1}`, `"data":{"a":1}`},
		{"text", `"datacontenttype":"text/plain","data":"ü\u0000"`, "text/plain", "ü\x00", `"data":"ü\u0000"`},
		{"xml", `"datacontenttype":"text/xml","data":"<a/>"`, "text/xml", "<a/>", `"data":"<a/>"`},
		{"bytes", `"datacontenttype":"image/png","data_base64":"iVBORwD/"`, "image/png", "\x89PNG\x00\xff", `"data_base64":"iVBORwD/"`},
		{"json in base64", `"data_base64":"eyJhIjoxfQ=="`, "application/json", `{"a":1}`, `"data":{"a":1}`},
		{"json as text", `"data":"{\"a\":1}"`, "application/json", `"{\"a\":1}"`, `"data":"{\"a\":1}"`},
		{"suffix", `"datacontenttype":"application/vnd.a+json","data":[1]`, "application/vnd.a+json", "[1]", `"data":[1]`},
		{"parameters", `"datacontenttype":"application/json; charset=utf-8","data":[1]`, "application/json; charset=utf-8", "[1]", `"data":[1]`},
		{"null", `"data":null`, "application/json", "null", `"data":null`},
		{"nothing", `"subject":"s"`, "", "", `"subject":"s"`},
	} {
		event := `{"specversion":"1.0","type":"a.b","source":"/SOURCE","id":"1",` + x.attributes + `}`
		at := "/" + strings.ReplaceAll(x.id, " ", "-")
		for mode, send := range map[string]func(string) (*http.Response, string){
			"structured": func(source string) (*http.Response, string) {
				return d.call(http.MethodPost, "/v1/events", structuredType, strings.Replace(event, "/SOURCE", source, 1))
			},
			"batch": func(source string) (*http.Response, string) {
				return d.call(http.MethodPost, "/v1/events", batchType, "["+strings.Replace(event, "/SOURCE", source, 1)+"]")
			},
			"binary": func(source string) (*http.Response, string) {
				return d.call(http.MethodPost, "/v1/events", x.contentType, x.data, "Ce-Type", "a.b", "Ce-Source", source, "Ce-Id", "1", "Ce-Subject", "s")
			},
		} {
			source := at + "/" + mode
			if res, answer := send(source); res.StatusCode != http.StatusAccepted {
				t.Errorf("%s %s: %d %s", x.id, mode, res.StatusCode, answer)
				continue
			}
			_, got := d.call(http.MethodGet, "/v1/events/1?source="+source, "", "")
			if !strings.Contains(got, x.want) {
				t.Errorf("%s %s became %s", x.id, mode, got)
			}
		}
	}
	for attributes, want := range map[string]string{
		`"data":1,"data_base64":"MQ=="`:                   "given as well as data",
		`"data_base64":"MQ"`:                              "data_base64",
		`"data_base64":1`:                                 "must be a string",
		`"data_base64":"e30x"`:                            "not valid JSON",
		`"datacontenttype":"text","data":"x"`:             "not a media type",
		`"datacontenttype":"application/json","data":{"a`: "ends in the middle",
	} {
		res, answer := d.call(http.MethodPost, "/v1/events", structuredType, `{"type":"a.b",`+attributes+`}`)
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", attributes, res.StatusCode, answer)
		}
	}
}

// A duplicate is answered with 200 and the seq of the first, in every mode.
func TestADuplicateHasTheSequenceOfTheFirst(t *testing.T) {
	d := serve(t)
	const event = `{"type":"a.b","source":"/s","id":"1"}`
	d.call(http.MethodPost, "/v1/events", structuredType, event)
	const known = `{"id":"1","source":"/s","seq":"1","duplicate":true}`
	for _, x := range []struct {
		path, contentType, body string
		headers                 []string
		status                  int
		want                    string
	}{
		{"", structuredType, event, nil, 200, known},
		{"", batchType, "[" + event + "," + event + "]", nil, 200, "[" + known + "," + known + "]"},
		{"", batchType, "[" + event + `,{"type":"a.b","source":"/s","id":"2"}]`, nil, 202, "[" + known + `,{"id":"2","source":"/s","seq":"2","duplicate":false}]`},
		{"", linesType, event, nil, 200, known},
		{"", "application/json", "1", []string{"Ce-Type", "x.y", "Ce-Source", "/s", "Ce-Id", "1"}, 200, known},
		{"/c.d?source=/s&id=1", "application/json", "", nil, 200, known},
	} {
		res, answer := d.call(http.MethodPost, "/v1/events"+x.path, x.contentType, x.body, x.headers...)
		if res.StatusCode != x.status || answer != x.want+"\n" {
			t.Errorf("%s %s: %d %s", x.contentType, x.body, res.StatusCode, answer)
		}
	}
}

// What is too large is refused with 413, whether it is the data or the whole body.
func TestWhatIsTooLargeIsRefusedInEveryMode(t *testing.T) {
	d := serve(t)
	large := `"` + strings.Repeat("x", 1000) + `"`   // 1,000 bytes of data are allowed
	huge := `"` + strings.Repeat("x", 100_000) + `"` // and 66 KiB of a whole event
	for name, data := range map[string]string{"data": large, "a body": huge} {
		event := `{"type":"a.b","data":` + data + `}`
		for _, x := range []struct {
			path, contentType, body string
			headers                 []string
		}{
			{"", structuredType, event, nil},
			{"", batchType, `[{"type":"a.b"},` + event + "]", nil},
			{"", "application/json", data, []string{"Ce-Type", "a.b"}},
			{"/a.b", "application/json", data, nil},
		} {
			res, answer := d.call(http.MethodPost, "/v1/events"+x.path, x.contentType, x.body, x.headers...)
			if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(answer, "1000") && !strings.Contains(answer, "bytes") {
				t.Errorf("%s, %s: %d %s", name, x.contentType, res.StatusCode, answer)
			}
			if x.contentType == batchType && !strings.Contains(answer, `"event":2`) {
				t.Errorf("%s: the event isn't named: %s", name, answer)
			}
		}
		_, answer := d.call(http.MethodPost, "/v1/events", linesType, event+"\n"+`{"type":"a.b"}`)
		if lines := strings.Split(answer, "\n"); !strings.Contains(lines[0], `"status":413`) || !strings.Contains(lines[0], `"line":1`) || !strings.Contains(lines[1], `"seq"`) {
			t.Errorf("%s, lines: %s", name, answer)
		}
	}
	res, answer := d.call(http.MethodPost, "/v1/events", batchType, "["+strings.Repeat(" ", 32<<20)+"]")
	if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(answer, "33554432 bytes") {
		t.Errorf("a batch: %d %s", res.StatusCode, answer)
	}
}

// The list of events is a batch if Accept asks for one.
func TestAListOfEventsCanBeABatch(t *testing.T) {
	d := serve(t)
	d.call(http.MethodPost, "/v1/events", batchType, `[{"type":"a.b","id":"1"},{"type":"a.b","id":"2"}]`)
	res, body := d.call(http.MethodGet, "/v1/events?limit=1", "", "", "Accept", batchType)
	if !strings.HasPrefix(body, `[{"specversion":"1.0","id":"2"`) || !strings.HasSuffix(body, "}]\n") || res.Header.Get("Content-Type") != batchType ||
		!strings.Contains(res.Header.Get("Evrun-Page"), `"next"`) {
		t.Errorf("%v %s", res.Header, body)
	}
	if _, body = d.call(http.MethodGet, "/v1/events?type=none", "", "", "Accept", batchType); body != "[]\n" {
		t.Errorf("none: %s", body)
	}
}
