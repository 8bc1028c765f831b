package hook_test

import (
	"fmt"
	"strings"
	"testing"

	"evrun/cmd/hook"
)

const open = `
events:
  order.placed: {schema: {type: object, required: [n]}}
hooks:
  - {name: typed, verify: none, type: 'a.${ body.kind }', id: '${ body.id ?? header("X-Id") }'}
  - {name: any, verify: none, type: a.b}
  - {name: order, verify: none, type: order.placed}
  - {name: small, verify: none, type: a.b, max_body: 1KiB}
  - {name: slow, verify: none, type: a.b, rate: 2/h}
  - {name: near, verify: none, type: a.b, allow: [127.0.0.1]}
  - {name: work, verify: none, type: 'a.${ string(count(body, any(body, # == -1))) }'}
  - {name: form, verify: none, type: 'form.${ body.kind }', subject: '${ join(body.tag, "+") }'}
  - {name: says, verify: none, type: a.b, when: query("x") == "1", answer: {status: 201, body: 'hi ${ query("x") ?? "you" }'}}
`

// What strangers send is refused with a reason, or taken as it is.
func TestWhatStrangersSend(t *testing.T) {
	t.Parallel()
	s := start(t, open)
	json := []string{"Content-Type", "application/json"}
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, x := range []struct {
		name, hook, body string
		headers          []string
		status           int
		text             string
	}{
		{"a type", "typed", `{"kind":"x.y","id":"1"}`, json, 202, `"id":"1"`},
		{"the same id", "typed", `{"kind":"other","id":"1"}`, json, 200, `"duplicate":true`},
		{"the last of two keys counts", "typed", `{"kind":"x","id":"7","id":"8"}`, json, 202, `"id":"8"`},
		{"a control character in the type", "typed", `{"kind":"x\u0007","id":"2"}`, json, 400, "type"},
		{"a blank in the type", "typed", `{"kind":"x y","id":"2"}`, json, 400, "type"},
		{"a wildcard in the type", "typed", `{"kind":">","id":"2"}`, json, 400, "type"},
		{"a long type", "typed", fmt.Sprintf(`{"kind":%q,"id":"2"}`, strings.Repeat("x", 300)), json, 400, "type"},
		{"no type", "typed", `{"id":"2"}`, json, 422, "body.kind is nil"},
		{"a list as the type", "typed", `{"kind":["x"],"id":"2"}`, json, 422, "type: body.kind is a list of 1 element, and must be a text or a number"},
		{"a map as the type", "typed", `{"kind":{"x":1},"id":"2"}`, json, 422, "is a map of 1 key"},
		{"true as the type", "typed", `{"kind":true,"id":"2"}`, json, 422, "is true, and must be"},
		{"a number as the type", "typed", `{"kind":9007199254740993,"id":"n"}`, json, 202, `"id":"n"`},
		{"a NUL in the id", "typed", `{"kind":"x","id":"\u0000"}`, json, 400, "id"},
		{"an empty id", "typed", `{"kind":"x","id":""}`, json, 422, "id: it is empty"},
		{"a long id", "typed", fmt.Sprintf(`{"kind":"x","id":%q}`, strings.Repeat("x", 300)), json, 400, "id"},
		{"no JSON", "typed", `{"kind":`, json, 422, "not valid JSON"},
		{"a text", "typed", `hello`, []string{"Content-Type", "text/plain"}, 422, "kind"},
		{"invalid UTF-8", "any", "{\"a\":\"\xff\"}", json, 400, "UTF-8"},
		{"invalid UTF-8 of no type", "any", "\xff\xfe", nil, 202, ""},
		{"deep JSON", "typed", deep, json, 422, "nested too deeply"},
		{"deep JSON that is not read", "any", deep, json, 400, "nested too deeply"},
		{"an unknown content type", "any", "x", []string{"Content-Type", "///"}, 202, ""},
		{"a compressed body", "any", "x", []string{"Content-Encoding", "gzip"}, 415, "Content-Encoding"},
		{"a large body", "small", strings.Repeat("x", 1025), nil, 413, "more than the hook takes"},
		{"a schema", "order", `{}`, json, 422, "violations"},
		{"an address that is not known", "near", "{}", json, 403, "may not send"},
		{"much work", "work", "[" + strings.Repeat("1,", 20_000) + "1]", json, 422, "steps"},
		{"a form", "form", "kind=x&tag=a&tag=%C3%BC", []string{"Content-Type", "application/x-www-form-urlencoded"}, 202, ""},
		{"a form of curl -d", "any", `{"a":1}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 202, ""},
		{"a broken form", "form", "kind=%zz", []string{"Content-Type", "application/x-www-form-urlencoded"}, 422, "form"},
		{"many fields", "form", strings.Repeat("a=1&", 2000), []string{"Content-Type", "application/x-www-form-urlencoded"}, 422, "too many fields"},
		{"an answer", "says?x=1", "", nil, 201, "hi 1"},
		{"an answer to what is ignored", "says?x=2", "", nil, 201, "hi 2"},
		{"a broken query", "says?x=%zz", "", nil, 400, "query"},
		{"a name", "../v1/events", "", nil, 404, ""},
	} {
		a := s.post(t, "/hooks/"+x.hook, x.body, x.headers...)
		if x.name == "a name" { // the path is cleaned: the route there wants an event
			if a.status < 400 {
				t.Errorf("%s: %+v", x.name, a)
			}
			continue
		}
		if a.status != x.status || !strings.Contains(a.text, x.text) {
			t.Errorf("%s: %d %s; want %d with %q", x.name, a.status, a.text, x.status, x.text)
		}
	}
	last := s.status(t, "typed").Rejections
	if len(last) == 0 || last[0].Reason != hook.BadRequest {
		t.Errorf("%+v", last)
	}
}

func TestMoreThanTheRateIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, open)
	for i, want := range []int{202, 202, 429} {
		a := s.post(t, "/hooks/slow", "{}")
		if a.want(t, want, ""); i == 2 && (a.header.Get("Retry-After") == "" || a.header.Get("Retry-After") == "1") {
			t.Errorf("%v", a.header)
		}
	}
	if st := s.status(t, "slow"); st.Reasons[hook.TooMany] != 1 || st.Accepted != 2 {
		t.Errorf("%+v", st)
	}
}

func TestHooksReloadWithTheWiring(t *testing.T) {
	t.Parallel()
	s := start(t, "hooks: [{name: a, type: a.b, verify: none}]\n")
	s.post(t, "/hooks/a", "{}").want(t, 202, "")
	s.Write(t, "hooks: [{name: a, type: a.c, verify: none}, {name: b, type: a.b, verify: none}]\n")
	done, err := s.Reload(t.Context())
	if err != nil || len(done.Hooks.Added) != 1 || len(done.Hooks.Changed) != 1 {
		t.Fatal(done, err)
	}
	s.post(t, "/hooks/b", "{}").want(t, 202, "")
	s.post(t, "/hooks/a", "{}").want(t, 202, "")
	if st := s.status(t, "a"); st.Accepted != 2 || st.Type != "a.c" {
		t.Errorf("%+v", st)
	}
}
