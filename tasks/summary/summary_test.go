package summary_test

import (
	"strings"
	"testing"

	"evrun/events"
	"evrun/tasks/alike"
	"evrun/tasks/expression"
	"evrun/tasks/summary"
)

// Whatever an error says: the condition of its group can be compiled, and is true of it.
func TestTheConditionOfAGroupSelectsIt(t *testing.T) {
	for _, text := range []string{
		"connection refused", `a "quoted" and 'single' text`, `back\slash \" \n ${ data.x } $${`, "line\nbreak\ttab\r", "\x00\x01\x1b[31mred\x7f\u0085\u202eright", "é日本\U0001F600",
		"\xff\xfe broken", strings.Repeat("long text ", 1000), strings.Repeat("é", 1000), "`backtick` 12", `" or true or "`, "\u2028\ufeff", " ",
	} {
		g := summary.Group{Error: alike.Text(text)}
		where, err := expression.Compile(g.Where(), expression.SelectRuns)
		if err != nil {
			t.Errorf("%q: %s: %v", text, g.Where(), err)
			continue
		}
		for of, want := range map[string]bool{text: true, text + " x": len(g.Error) > 250, "other": false} {
			env := expression.NewEnv(&events.Event{ID: "1", Type: "a.b"})
			env.SetRun(expression.Run{Error: of})
			if is, err := where.Bool(env); is != want || err != nil {
				t.Errorf("%s of %q: %v, %v", g.Where(), of, is, err)
			}
		}
	}
}
