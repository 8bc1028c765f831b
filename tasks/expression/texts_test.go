package expression_test

import (
	"fmt"
	"testing"

	"evrun/events"
	"evrun/tasks/expression"
)

func TestAConditionNamesTheTextsThatTheDataMustHave(t *testing.T) {
	for src, want := range map[string]string{
		`data.a == "x"`:         `[[x]]`,
		`"x" == data["a"].b[0]`: `[[x]]`,
		`data.a == "x" and data.b contains "y" && event.id == "z"`:          `[[x] [y]]`,
		`data.a startsWith "x" and (data.b endsWith "y" or data?.c == "z")`: `[[x] [y z]]`,
		`data.a in ["x", "y"] and data.n > 3`:                               `[[x y]]`,
		`"x" in data.tags`:                                                  `[[x]]`,
		`data.a == "x" and data.b == "long" or data.c == "z"`:               `[[long z]]`,
		`data.a == "x" or data.n == 3`:                                      `[]`,
		`data.a != "x"`:                                                     `[]`,
		`not (data.a == "x")`:                                               `[]`,
		`data.a == ""`:                                                      `[]`,
		`data.a == 3`:                                                       `[]`,
		`data.a in ["x", 3]`:                                                `[]`,
		`data.a + "y" == "xy"`:                                              `[]`,
		`lower(data.a) == "x"`:                                              `[]`,
		`event.type == "x"`:                                                 `[]`,
		`let d = event; d.id == "x"`:                                        `[]`,
		`data.a == "\uFFFD"`:                                                `[]`,
		`any(data.list, .name == "x")`:                                      `[]`,
		`data.a matches "x"`:                                                `[]`,
	} {
		x, err := expression.Compile(src, expression.SelectRuns)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := fmt.Sprint(x.Texts()); got != want {
			t.Errorf("%s: texts %s, want %s", src, got, want)
		}
	}
}

func TestARunIsKnownWhereRunsAreSelected(t *testing.T) {
	x, err := expression.Compile(`run.handler == "h" and run.attempt > 1 and run.error contains "refused" and data.n == 1`, expression.SelectRuns)
	if err != nil {
		t.Fatal(err)
	}
	env := expression.NewEnv(&events.Event{Data: []byte(`{"n":1}`)})
	env.SetRun(expression.Run{Handler: "h", Attempt: 2, Error: "connection refused"})
	if ok, err := x.Bool(env); !ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
	for src, want := range map[string]string{
		`run.hander == "h"`: `a run has no "hander"; did you mean "handler"?`,
		`runs.id == "h"`:    `unknown name "runs"; did you mean "run"?`,
	} {
		if _, err := expression.Compile(src, expression.SelectRuns); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
	if _, err := expression.Compile(`run.id == "x"`, expression.SelectEvents); err == nil {
		t.Error("an event has a run")
	}
}
