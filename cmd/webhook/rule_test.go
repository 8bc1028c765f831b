package webhook

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/expression"
)

// errGone is webhook's error for a value that a request doesn't have. It ends all rules around it but lists of which one must hold, and does not keep the
// hook from running.
var errGone = errors.New("no such value")

// model decides as webhook does, as its documentation and its behaviour say: rules one after the other, until one decides.
func model(r *rule, get func(a *argument) (string, bool)) (bool, error) {
	switch r.kind {
	case "and":
		for _, inner := range r.rules {
			if holds, err := model(inner, get); err != nil || !holds {
				return false, err
			}
		}
		return true, nil
	case "or":
		for _, inner := range r.rules {
			if holds, _ := model(inner, get); holds {
				return true, nil
			}
		}
		return false, nil
	case "not":
		holds, err := model(r.rules[0], get)
		return !holds, err
	case "match":
		value, ok := get(&r.match.parameter)
		switch {
		case !ok:
			return false, errGone
		case r.match.kind == "regex":
			return regexp.MatchString(r.match.regex, value)
		}
		return value == r.match.value, nil
	}
	return false, nil
}

// randomRule makes a rule about the fields a, b and c, and the header X-D.
func randomRule(rng *rand.Rand, depth int) *rule {
	kind := []string{"and", "or", "not", "match", "match"}[rng.IntN(5)]
	if depth == 0 {
		kind = "match"
	}
	r := &rule{kind: kind}
	switch kind {
	case "and", "or":
		for range rng.IntN(4) {
			r.rules = append(r.rules, randomRule(rng, depth-1))
		}
	case "not":
		r.rules = []*rule{randomRule(rng, depth-1)}
	case "match":
		r.match = match{kind: "value", value: []string{"x", "y", "1", "true"}[rng.IntN(4)]}
		if rng.IntN(3) == 0 {
			r.match = match{kind: "regex", regex: []string{"^x", "1", "e$"}[rng.IntN(3)]}
		}
		r.match.parameter = argument{source: "payload", name: []string{"a", "b", "c.0", "c.1.d"}[rng.IntN(4)]}
		if rng.IntN(5) == 0 {
			r.match.parameter = argument{source: "header", name: "X-D"}
		}
	}
	return r
}

func TestAConditionHoldsWhereTheRuleDid(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := []string{`"x"`, `"y"`, `1`, `true`, ``}
	texts := map[string]string{`"x"`: "x", `"y"`: "y", `1`: "1", `true`: "true"}
	held := 0
	for range 3000 {
		r := randomRule(rng, 3)
		h := &hook{when: "true"}
		if err := h.condition(r); err != nil && h.when != "false" {
			t.Fatal(err)
		}
		x, err := expression.Compile(h.when, expression.HookRequest.Condition())
		if err != nil {
			t.Fatalf("%s: %v", h.when, err)
		}
		for range 8 {
			given := map[string]string{}
			for _, name := range []string{"a", "b", "c.0", "c.1.d", "X-D"} {
				given[name] = values[rng.IntN(len(values))]
			}
			var fields []string
			for _, name := range []string{"a", "b"} {
				if given[name] != "" {
					fields = append(fields, fmt.Sprintf("%q: %s", name, given[name]))
				}
			}
			switch first, second := given["c.0"], given["c.1.d"]; {
			case first != "" && second != "":
				fields = append(fields, fmt.Sprintf(`"c": [%s, {"d": %s}]`, first, second))
			case first != "":
				fields, given["c.1.d"] = append(fields, fmt.Sprintf(`"c": [%s]`, first)), ""
			default:
				given["c.1.d"] = ""
			}
			body, err := events.ParseJSON([]byte("{" + strings.Join(fields, ",") + "}"))
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			if text, ok := texts[given["X-D"]]; ok {
				header.Set("X-D", text)
			}
			want, _ := model(r, func(a *argument) (string, bool) {
				text, ok := texts[given[a.name]]
				return text, ok
			})
			got, err := x.Bool(expression.NewRequestEnv(request(body, header)))
			if err != nil || got != want {
				t.Fatalf("%s is %v, and webhook's rule is %v, for %v (%v)", h.when, got, want, given, err)
			}
			if got {
				held++
			}
		}
	}
	if held < 3000 {
		t.Errorf("only %d rules held", held)
	}
}

func request(body any, header http.Header) *expression.Request {
	return &expression.Request{Body: func() (any, error) { return body, nil }, Header: header, Method: http.MethodPost}
}
