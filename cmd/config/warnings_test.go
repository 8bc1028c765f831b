package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/drivers"
)

func TestWhatIsProbablyNotMeantIsAWarning(t *testing.T) {
	const log = ", do: log, with: {message: x}"
	const cutOff = " (a chain is cut off after 32 events; give one of the handlers a when that ends it)"
	const endless = "warning: these events cause each other without an end: "
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"an ordinary file": {"schedules:\n- {name: s, every: 5s, emit: a.b}\nhandlers:\n- {name: h, on: a.*" + log + "}\n- {name: i, on: from.outside" + log + "}\n", nil},
		"an emitted type that nobody handles": {
			"schedules:\n- {name: s, every: 5s, emit: a.b}\nhandlers:\n- {name: h, on: b.a" + log + ", emit: [c.d, {type: a.b}]}\n- {name: i, on: b.a, do: emit, with: {type: q.r}}\n",
			[]string{`2:30: warning: no handler is wired to "a.b", which the schedule "s" emits (wire a handler to it, if something must happen then)`,
				`4:58: warning: no handler is wired to "c.d", which the handler "h" emits (wire a handler to it, if something must happen then)`,
				`5:45: warning: no handler is wired to "q.r", which the handler "i" emits (wire a handler to it, if something must happen then)`},
		},
		"the old name of an event's number": {
			"handlers:\n- {name: h, on: a, when: event.sequence > 2, do: log, with: {message: '${ event.sequence } of ${ event[\"sequence\"] }'}}\n" +
				"- {name: i, on: a, order_by: 'event[\"sequence\"]', when: event.sequences == 1, do: log, with: {message: event.sequence}}\n",
			[]string{`2:26: warning: event.sequence is the sender's own order, which few events have (the event's number in the journal is event.seq; write event["sequence"] if the sender's is meant)`,
				`2:71: warning: event.sequence is the sender's own order, which few events have (the event's number in the journal is event.seq; write event["sequence"] if the sender's is meant)`},
		},
		"an on_dead that nobody handles": {
			"handlers:\n- {name: h, on: a" + log + ", on_dead: h.dead}\n",
			[]string{`2:58: warning: no handler is wired to "h.dead", which the handler "h" emits (wire a handler to it, if something must happen then)`},
		},
		"a round that goes on with dead runs only": {
			"handlers:\n- {name: h, on: a" + log + ", emit: b, on_dead: a}\n- {name: i, on: b" + log + ", on_dead: {type: a}}\n", nil,
		},
		"a misspelt type": {
			"schedules:\n- {name: s, every: 5s, emit: user.registred}\nhandlers:\n- {name: h, on: user.registered" + log + "}\n",
			[]string{`2:30: warning: no handler is wired to "user.registred", which the schedule "s" emits (did you mean "user.registered"?)`},
		},
		"a handler of everything handles all": {"events: {x.y: }\nschedules:\n- {name: s, every: 5s, emit: a.b}\nhandlers:\n- {name: h, on: '>'" + log + "}\n", nil},
		"a declared type that nobody handles": {
			"events:\n  a.b:\n  c.d:\nhandlers:\n- {name: h, on: a.b" + log + "}\n",
			[]string{`3:3: warning: no handler is wired to "c.d" (wire a handler to it, if something must happen then; else declare it as final: true)`},
		},
		"a handler that nothing reaches, where types are declared": {
			"events: {user.registered: }\nhandlers:\n- {name: h, on: [user.registered, user.registred]" + log + "}\n- {name: i, on: x.>" + log + "}\n- {name: j, on: evrun.run.dead" + log + "}\n",
			[]string{`3:35: warning: no known type matches "user.registred": none under events, and none that a schedule, a hook or a handler emits (declare the type under events, if it comes from outside)`,
				`4:17: warning: no known type matches "x.>": none under events, and none that a schedule, a hook or a handler emits (declare the type under events, if it comes from outside)`},
		},
		"a computed type may be any": {
			"events: {a.b: }\nhandlers:\n- {name: h, on: a.b" + log + ", emit: 'x.${ result.message }'}\n- {name: i, on: y.z" + log + "}\n", nil,
		},
		"a round of two": {
			"handlers:\n- {name: h, on: a" + log + ", emit: b}\n- {name: i, on: b" + log + ", emit: a}\n",
			[]string{"2:55: " + endless + "a → h → b → i → a" + cutOff},
		},
		"a handler that causes itself": {
			"handlers:\n- {name: h, on: a.>, do: emit, with: {events: [{type: a.b}]}}\n",
			[]string{"2:55: " + endless + "a.b → h → a.b" + cutOff},
		},
		"rounds that share a handler": {
			"handlers:\n- {name: h, on: [a, c]" + log + ", emit: [b]}\n- {name: i, on: b" + log + ", emit: [a, c]}\n",
			[]string{"2:61: " + endless + "a → h → b → i → a" + cutOff, "2:61: " + endless + "c → h → b → i → c" + cutOff},
		},
		"a way into a round is no part of it": {
			"handlers:\n- {name: g, on: z" + log + ", emit: a}\n- {name: h, on: a" + log + ", emit: b}\n- {name: i, on: b" + log + ", emit: a}\n",
			[]string{"3:55: " + endless + "a → h → b → i → a" + cutOff},
		},
		"a round that a condition can end": {
			"handlers:\n- {name: h, on: a, when: data.n < 3" + log + ", emit: b}\n- {name: i, on: b" + log + ", emit: a}\n", nil,
		},
		"two ways to one type are no round": {
			"handlers:\n- {name: h, on: a" + log + ", emit: [b, c]}\n- {name: i, on: b" + log + ", emit: d}\n- {name: j, on: c" + log + ", emit: d}\n- {name: k, on: d" + log + "}\n", nil,
		},
		"a url that the event chooses": {
			"handlers:\n- {name: h, on: a, do: notify, with: {message: x, url: '${ data.v }'}}\n- {name: i, on: a, do: http, with: {url: 'http://${ data.v }/x'}}\n" +
				"- {name: j, on: a, do: http, with: {url: 'http://h.test/${ data.v }'}}\n",
			[]string{`2:32: warning: "h" sends to where the event says: who publishes it chooses the service or the host (write them out, or take them from env())`,
				`3:30: warning: "i" sends to where the event says: who publishes it chooses the service or the host (write them out, or take them from env())`},
		},
		"constant conditions": {
			"handlers:\n- {name: h, on: a" + log + ", when: 1 < 2}\n- {name: i, on: a" + log + ", when: not true}\n- {name: j, on: a" + log + ", when: data.x != 1}\n",
			[]string{"2:55: warning: this condition is always true (leave it out, or look at event or data)",
				"3:55: warning: this condition is never true: the handler runs on nothing (look at event or data)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range load(t, test.file).Warnings {
				_, place, _ := strings.Cut(w.String(), "evrun.yaml:")
				got = append(got, place)
				if !w.Warning {
					t.Errorf("%s: not marked as a warning", w.String())
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestACommandWithoutATimeoutIsAWarning(t *testing.T) {
	for timeout, want := range map[string]int{"": 1, ", timeout: 1m": 0} {
		c, err := Load(write(t, "handlers:\n- {name: h, on: a, do: exec, with: {shell: \"true\"}"+timeout+"}\n"), Options{Getenv: noEnv, Parsers: drivers.Parsers})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Warnings) != want || want > 0 && (c.Warnings[0].Line != 2 || !strings.Contains(c.Warnings[0].Message, `"h" has no timeout: a command that hangs`)) {
			t.Errorf("%q: %+v", timeout, c.Warnings)
		}
	}
}

// A statement that may take long holds all of a SQLite store, and of a PostgreSQL store its rows.
func TestAHoldIsAWarning(t *testing.T) {
	path := write(t, "handlers:\n- name: h\n  on: a\n  do: sql\n  with: {statement: DELETE FROM t, hold: 2s}\n")
	c, err := Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Warnings {
		if w.Line == 5 && w.Column == 42 && w.Message == `"h" may hold the store for 2s: meanwhile nobody else's event is accepted` {
			shared, err := Load(path, Options{Getenv: func(name string) string { return map[string]string{"EVRUN_STORE": "postgres://h/evrun"}[name] }, Parsers: drivers.Parsers})
			if err != nil || strings.Contains(fmt.Sprint(shared.Warnings), "hold") {
				t.Errorf("with PostgreSQL: %+v %v", shared, err)
			}
			return
		}
	}
	t.Errorf("%+v", c.Warnings)
}
