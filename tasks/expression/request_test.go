package expression

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAHookSeesARequest(t *testing.T) {
	env := NewRequestEnv(&Request{
		Header: http.Header{"X-Github-Event": {"push", "ping"}}, Query: url.Values{"page": {"2"}},
		Body: func() (any, error) { return map[string]any{"repo": map[string]any{"name": "shop"}, "n": 7}, nil }, Raw: "the body", Method: "POST", Name: "github",
	})
	for text, want := range map[string]string{
		`github.${ header("X-GitHub-Event") }`:         "github.push",
		`github.${ header("x-github-event") }`:         "github.push",
		`${ header("X-Missing") ?? "none" }`:           "none",
		`${ header("X-Missing") == nil }`:              "true",
		`${ query("page") }-${ body.repo.name }`:       "2-shop",
		`${ name }/${ method }/${ raw }/${ body["n"]}`: "github/POST/the body/7",
		`${ len(raw) + body.n }`:                       "15",
		`${ upper(header("X-GitHub-Event")) }`:         "PUSH",
		`${ let page = int(query("page")); page + 1 }`: "3",
	} {
		x, err := CompileTemplate(text, HookRequest)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := x.Text(env); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestAMissingPartOfARequestIsNil(t *testing.T) {
	for text, want := range map[string]string{
		`a.${ header("X-Event") }`: `header("X-Event") is nil`,
		`a.${ body.kind }`:         `body is nil, so it has no "kind"`,
		`a.${ query("x") }`:        `query("x") is nil`,
	} {
		x, err := CompileTemplate(text, HookRequest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Text(NewRequestEnv(&Request{})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMisuseOfARequestIsExplained(t *testing.T) {
	for src, want := range map[string]string{
		`header(body.x)`:         `the name in header() can't be computed; write it out, in quotes: header("User-Agent")`,
		`header()`:               `header() takes one name; write header("User-Agent")`,
		`query("a", "b")`:        `query() takes one name; write query("page")`,
		`header("")`:             `the name in header() is empty`,
		`header("X Event")`:      `this can't be the name of a header; a name has`,
		`header`:                 `"header" is a function; write header("…")`,
		`header("Host")`:         `header() does not have Host`,
		`header["X-Event"]`:      `"header" is a function`,
		`data.x`:                 `unknown name "data"; the event is yet to be made: a hook's names are body`,
		`event.type`:             `the event is yet to be made`,
		`now()`:                  `the event has the time of its acceptance`,
		`uuid()`:                 `the id of an event is unique if it is left out`,
		`env("X")`:               `env() is known in verify and challenge`,
		`action`:                 `unknown name "action"; write body.action`,
		`boddy.x`:                `did you mean "body"`,
		`raw.x`:                  `raw is a text, so it has no "x"`,
		`raw > 3`:                `number`,
		`header("X") + 1`:        `number`,
		`slot.time`:              `a hook's names are body`,
		`run.id`:                 `a hook's names are body`,
		`header("X") == 3`:       `number`,
		`method.lower`:           `method is a text`,
		`raw contains`:           `ends too early`,
		`file("a.txt")`:          `file() is known in verify`,
		`error`:                  `a hook's names are`,
		`result`:                 `a hook's names are`,
		`body.x | unknownFunc()`: `unknown name "unknownFunc"`,
	} {
		_, err := Compile(src, HookRequest)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
	if _, err := Compile(`raw`, HookRequest.Condition()); err == nil {
		t.Error("a text is no condition")
	}
	if _, err := Compile(`env("TOKEN") == query("token")`, HookChallenge); err != nil {
		t.Error(err)
	}
}

// The words of hooks are those that people use for their data and for names of their own.
func TestOtherScopesDoNotKnowRequests(t *testing.T) {
	for src, want := range map[string]string{
		`body`:        `unknown name "body"; write data.body`,
		`name`:        `unknown name "name"; write data.name`,
		`method`:      `unknown name "method"; write data.method`,
		`header("X")`: `unknown name "header"; header() is known in hooks only`,
		`query`:       `unknown name "query"; write data.query`,
	} {
		if _, err := Compile(src, HandlerWith); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
	for _, src := range []string{`let body = data.x; body.y == 1`, `let header = 3; header > 2`, `let name = "a"; name + "b"`, `data.body.header`, `data.query`} {
		if _, err := Compile(src, HandlerWhen); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
}
