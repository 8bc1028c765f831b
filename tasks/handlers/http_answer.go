package handlers

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"evrun/events"
	"evrun/tasks/expression"
	"evrun/tasks/outgoing"
)

// answer makes the kind's result from a response.
func answer(resp *http.Response, body []byte, secrets *expression.Secrets) map[string]any {
	headers := map[string]any{}
	for name, values := range resp.Header {
		if name != "Set-Cookie" { // a secret that evrun does not use
			headers[strings.ToLower(name)] = secrets.Redact(strings.Join(values, ", "))
		}
	}
	result := map[string]any{"status": resp.StatusCode, "headers": headers, "body": nil}
	if len(body) > outgoing.MaxAnswer {
		body = body[:outgoing.MaxAnswer]
		for i := 0; i < utf8.UTFMax-1 && !utf8.Valid(body[len(body)-min(len(body), utf8.UTFMax):]) && len(body) > 0; i++ {
			body = body[:len(body)-1]
		}
		result["truncated"] = true
	}
	if len(body) == 0 {
		return result
	}
	if result["truncated"] == nil && isJSON(resp.Header.Get("Content-Type")) {
		if v, err := events.ParseJSON(body); err == nil {
			result["body"] = secrets.RedactValue(v)
			return result
		}
	}
	switch {
	case utf8.Valid(body):
		result["body"] = secrets.Redact(string(body))
	default:
		result["body_base64"] = base64.StdEncoding.EncodeToString(body)
	}
	return result
}

// headerLines returns the headers of a response, one a line, and maxHeaders bytes of them at most.
func headerLines(header http.Header) string {
	names := make([]string, 0, 16)
	for name := range header {
		if name != "Set-Cookie" { // a secret that evrun does not use
			names = append(names, name)
		}
	}
	slices.Sort(names)
	lines := make([]byte, 0, 512)
	left := 0
	for _, name := range names {
		for _, value := range header[name] {
			if len(lines)+len(name)+len(value) > maxHeaders {
				left++
				continue
			}
			lines = append(append(append(append(lines, name...), ": "...), value...), '\n')
		}
	}
	if left > 0 {
		lines = fmt.Appendf(lines, "…: %d more headers, which are long\n", left)
	}
	return string(lines)
}

// fit makes a result fit into an event's data of room bytes: a request that succeeded must not fail because of the size of its
// response. A result that was cut has "truncated"; JSON that is cut, or nested too deeply, becomes text.
func fit(result map[string]any, room int) (map[string]any, error) {
	text, err := events.MarshalJSON(result)
	if err != nil || len(text) <= room && events.CheckJSON(text) == nil {
		return result, err
	}
	if len(text) > room {
		result["truncated"] = true
	}
	kept, encoded := "body", false
	if _, encoded = result["body_base64"]; encoded {
		kept = "body_base64"
	} else if _, isText := result["body"].(string); !isText {
		if text, err = events.MarshalJSON(result["body"]); err != nil { // not the received body: secrets are removed
			return nil, err
		}
		result["body"] = string(text)
	}
	whole := result[kept].(string)
	size := func(n int) int {
		if !encoded {
			for n > 0 && n < len(whole) && !utf8.RuneStart(whole[n]) {
				n--
			}
		} else {
			n -= n % 4
		}
		result[kept] = whole[:n]
		text, err = events.MarshalJSON(result)
		return len(text)
	}
	if size(0) > room { // many headers, and little room
		result["headers"] = map[string]any{}
	}
	most := sort.Search(len(whole), func(n int) bool { return size(n+1) > room })
	if size(most) > room {
		result[kept] = ""
	}
	if len(result[kept].(string)) < len(whole) {
		result["truncated"] = true
	}
	return result, err
}
