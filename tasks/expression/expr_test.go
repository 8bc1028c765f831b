package expression

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"evrun/events"
)

// ada is an event with data of every type.
func ada() *events.Event {
	return &events.Event{
		Sequence: 42, ID: "e1", Source: "/test", Type: "user.registered", Subject: "users/1",
		Time:          time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC),
		CorrelationID: "e0", CausationID: "e0", Chain: 40, Hops: 1,
		Extensions: map[string]any{"tenant": "acme", "sequence": "0007", "weight": int64(7), "urgent": true},
		Data: json.RawMessage(`{"name":"Ada","email":"ada@example.com","age":36,"ratio":0.5,"big":9007199254740993,
			"huge":123456789012345678901234567890,"none":null,"ok":true,"tags":["a","b"],"user":{"first name":"A"},
			"items":[{"price":3,"sku":"x"},{"price":5,"sku":"y"}],"JSON":"{\"n\":9007199254740993}"}`),
	}
}

func adaEnv() *Env {
	env := NewEnv(ada())
	env.SetResult(map[string]any{"id": int64(3), "name": "Ada", "list": []string{"a"}})
	return env
}

func TestAnExpressionGivesItsValue(t *testing.T) {
	for _, test := range []struct {
		src  string
		want any
	}{
		{`data.name`, "Ada"},
		{`data["name"]`, "Ada"},
		{`data.user["first name"]`, "A"},
		{`data.age`, 36},
		{`data.ratio`, 0.5},
		{`data.big`, 9007199254740993},
		{`data.big + 2`, 9007199254740995},
		{`data.huge`, json.Number("123456789012345678901234567890")},
		{`data.none`, nil},
		{`data.absent`, nil},
		{`data.absent?.deeper`, nil},
		{`data.absent?.deeper.still`, nil},
		{`data?.name`, "Ada"},
		{`data.items[1].sku`, "y"},
		{`data.items[-1].sku`, "y"},
		{`data.tags[0]`, "a"},
		{`data.name[0]`, uint8('A')},
		{`data.absent ?? "x"`, "x"},
		{`event.type`, "user.registered"},
		{`event.seq`, 42},
		{`event.seq + 1`, 43},
		{`event.chain`, 40},
		{`event.sequence`, "0007"},
		{`event.time`, "2026-03-04T05:06:07.000008Z"},
		{`event.hops`, 1},
		{`event.datacontenttype`, "application/json"},
		{`event.correlationid + event.causationid`, "e0e0"},
		{`event.dataschema`, ""},
		{`event.tenant`, "acme"},
		{`event.weight`, 7},
		{`event.weight * 2`, 14},
		{`event.urgent`, true},
		{`event.unknown`, nil},
		{`event["source"]`, "/test"},
		{`date(event.time).Year()`, 2026},
		{`result.name`, "Ada"},
		{`result.id`, int64(3)},
		{`result.list[0]`, "a"},
		{`{"a": "}"}.a`, "}"},
		{`data.email contains "@"`, true},
		{`data.absent contains "@"`, false},
		{`data.age > 30 and data.name startsWith "A"`, true},
		{`data.name in ["Ada", "Bob"]`, true},
		{`len(data.tags)`, 2},
		{`map(data.items, .price)`, []any{3, 5}},
		{`sum(data.items, .price)`, 8},
		{`filter(data.items, .price > 3)[0].sku`, "y"},
		{`any(data.items, .sku == data.tags[0] or .sku == "y")`, true},
		{`groupBy(data.items, .price)`, map[string]any{"3": []any{map[string]any{"price": 3, "sku": "x"}}, "5": []any{map[string]any{"price": 5, "sku": "y"}}}},
		{`join(map(data.items, .price), "-")`, "3-5"},
		{`replace(data.name, "a", "o")`, "Ado"},
		{`uniq([1, 2, 1, data.age])`, []any{1, 2, 36}},
		{`fromJSON(data.JSON).n`, 9007199254740993},
		{`let n = data.name; upper(n) + "!"`, "ADA!"},
		{`let result2 = 1; result2`, 1},
		{`1..3`, []int{1, 2, 3}},
		{`data.age > 18 ? "adult" : "child"`, "adult"},
		{`"früh" + data.name`, "frühAda"},
		{`-data.age`, -36},
		{`reduce(data.items, #acc + .price, 0)`, 8},
		{`data.name | upper()`, "ADA"},
	} {
		x, err := Compile(test.src, HandlerEmit)
		if err != nil {
			t.Errorf("%s: %v", test.src, err)
			continue
		}
		got, err := x.Eval(adaEnv())
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s = %#v, %v; want %#v", test.src, got, err, test.want)
		}
		if x.String() != test.src {
			t.Errorf("String() = %q, want %q", x.String(), test.src)
		}
	}
}

func TestAFaultInTheTextIsFoundAtCompileTime(t *testing.T) {
	for _, test := range []struct {
		src    string
		scope  Scope
		offset int
		want   string
	}{
		{`dat.name`, HandlerWhen, 0, `unknown name "dat"; did you mean "data"?`},
		{`data.x > 3 and evnt.type == "a"`, HandlerWhen, 15, `unknown name "evnt"; did you mean "event"?`},
		{`"früh" + dat`, HandlerWhen, 10, `unknown name "dat"; did you mean "data"?`},
		{`zzz`, HandlerWhen, 0, `unknown name "zzz"; write data.zzz`},
		{`upcase(data.x)`, HandlerWhen, 0, `unknown name "upcase"; write upper(data.x)`},
		{`uper(data.x)`, HandlerWhen, 0, `unknown name "uper"; did you mean "upper"?`},
		{`upper`, HandlerWhen, 0, `"upper" is a function; it is called as upper(text)`},
		{`result.id`, HandlerWhen, 0, `unknown name "result"; "result" is known in a handler's emit only`},
		{`slot.unix`, HandlerWhen, 0, `unknown name "slot"; "slot" is known in a schedule's data only`},
		{`env("X")`, HandlerWhen, 0, `unknown name "env"; env() is known in env, with, emit and a schedule's data only`},
		{`data.x`, ScheduleData, 0, `unknown name "data"; "data" is known in handlers only: there is no event here`},
		{`slot.tmie`, ScheduleData, 5, `a slot has no "tmie"; did you mean "time"?`},
		{`event.data.x`, HandlerWhen, 6, `the event has no attribute "data"; write data.x`},
		{`event.Type`, HandlerWhen, 6, `the event has no attribute "Type"; did you mean "type"?`},
		{`now()`, ScheduleData, 0, `unknown name "now"; the same slot must always give the same event: use slot.time`},
		{`now()`, SelectEvents, 0, `unknown name "now"; --since and --until select by time, as in --since 1h`},
		{`now()`, Environment, 0, `unknown name "now"; now() is known in handlers only: there is no event here`},
		{`now > 1`, HandlerWhen, 0, `"now" is a function; write now()`},
		{`uuid()`, HandlerWhen, 0, `unknown name "uuid"; uuid() is known in with, emit, on_dead and a schedule's data only`},
		{`run.id`, HandlerWhen, 0, `unknown name "run"; "run" is known in with, emit and on_dead, and where runs are selected`},
		{`run.state`, HandlerWith, 4, `a run has no "state"; it has id, handler, attempt`},
		{`run.atempt`, HandlerWith, 4, `a run has no "atempt"; did you mean "attempt"?`},
		{`sprintf("%s %d", data.x)`, HandlerWhen, 8, `the format has 2 verbs for 1 value`},
		{`env`, HandlerWith, 0, `"env" is a function; write env("…")`},
		{`data()`, HandlerWith, 0, `"data" is not a function`},
		{`$env`, HandlerWith, 0, `unknown name "$env"; did you mean "env"?`},
		{`$limits`, HandlerWith, 0, `unknown name "$limits"`},
		{`$step(1)`, HandlerWith, 0, `unknown name "$step"`},
		{`data.x = 3`, HandlerWhen, 7, `unexpected "="; write data.x == 3`},
		{`data.x >`, HandlerWhen, 7, `the expression ends too early`},
		{`data.x )`, HandlerWhen, 7, `unexpected ")"`},
		{`data.x == "abc`, HandlerWhen, 14, `the text is not closed; it needs the same quote at its end`},
		{`upper(1)`, HandlerWhen, 6, "upper needs a text here, not a number; it is called as upper(text)"},
		{`upper(data.x) > 3`, HandlerWhen, 14, `">" can't take a text and a number; write int(upper(data.x)) > 3`},
		{`let data = 1; data`, HandlerWhen, 4, "cannot redeclare data"},
		{``, HandlerWhen, 0, "the expression is empty"},
		{"  ", HandlerWhen, 0, "the expression is empty"},
		{strings.Repeat("(", 20000), HandlerWhen, maxSource, "the expression is longer than 16 KiB"},
	} {
		_, err := Compile(test.src, test.scope)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v, want %q", test.src, err, test.want)
			continue
		}
		if e.Error() != test.want || e.Offset != test.offset {
			t.Errorf("%s:\n got  %q at %d\n want %q at %d", test.src, e.Error(), e.Offset, test.want, test.offset)
		}
	}
}

func TestAFaultWhileRunningNamesItsPart(t *testing.T) {
	for _, test := range []struct{ src, want string }{
		{`data.absent.deeper`, `data.absent is nil, so it has no "deeper"; "?." reads on where there may be nothing`},
		{`data.absent["first name"].x`, `data.absent is nil, so it has no "first name"; "?." reads on where there may be nothing`},
		{`data.absent.deeper == 3`, `data.absent is nil, so it has no "deeper"; "?." reads on where there may be nothing`},
		{`data.name.first`, `data.name is the string "Ada", so it has no "first"`},
		{`data.age.x`, `data.age is the number 36, so it has no "x"`},
		{`data.tags.x`, `data.tags is a list of 2 elements, so it has no "x"`},
		{`data.tags[2]`, `data.tags has 2 elements, and no [2]`},
		{`data.tags[2] == "x"`, `data.tags[2] == "x": index out of range: 2 (array length is 2)`},
		{`data.age contains "3"`, `data.age contains "3": "contains" can't take a number and a text; write string(data.age) contains "3"`},
		{`data.name + 3`, `data.name + 3: "+" can't take a text and a number; write data.name + string(3)`},
		{`fromJSON("{")`, `fromJSON: the text is not valid JSON: ends in the middle (at byte 1)`},
		{`join(data.items.sku)`, `join(data.items.sku): a text or a list has no such name`},
		{`env("EVRUN_NOT_SET")`, `environment variable EVRUN_NOT_SET is not set`},
		{`join([nil])`, `join: element 0 is nil, so it can't be written into a text`},
	} {
		x, err := Compile(test.src, HandlerEmit)
		if err != nil {
			t.Errorf("%s: %v", test.src, err)
			continue
		}
		v, err := x.Eval(adaEnv())
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want {
			t.Errorf("%s = %v\n got  %v\n want %s", test.src, v, err, test.want)
		}
	}
}

func TestAConditionHasToBeTrueOrFalse(t *testing.T) {
	for src, want := range map[string]string{
		`event.tenant`: `event.tenant is not true or false: it gave the string "acme"; write event.tenant != ""`,
		`data.none`:    `data.none is not true or false: it gave nil; write (data?.none ?? false)`,
		`data.tags`:    `data.tags is not true or false: it gave a list of 2 elements; write len(data.tags) > 0`,
		`data.age + 1`: `data.age + 1 is not true or false: it gave the number 37; write data.age + 1 != 0`,
	} {
		x, err := Compile(src, HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := x.Bool(adaEnv()); ok || err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
	x, err := Compile(`data.ok`, HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := x.Bool(adaEnv()); !ok || err != nil {
		t.Errorf("data.ok = %v, %v", ok, err)
	}
}

func TestDataIsWhatItsTypeSays(t *testing.T) {
	for _, test := range []struct {
		mediaType, data string
		want            any
		fault           string
	}{
		{"", ``, nil, ""},
		{"", `null`, nil, ""},
		{"", `[1]`, []any{1}, ""},
		{"application/json; charset=utf-8", `1`, 1, ""},
		{"application/vnd.x+json", `"a"`, "a", ""},
		{"text/plain", `{"a":1}`, `{"a":1}`, ""},
		{"application/json", `{"a":`, nil, `the event's data is not valid JSON, but its content type is "application/json": ends in the middle (at byte 5)`},
	} {
		env := NewEnv(&events.Event{DataContentType: test.mediaType, Data: json.RawMessage(test.data)})
		x, err := Compile("data", HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time from memory
			got, err := x.Eval(env)
			if !reflect.DeepEqual(got, test.want) || (err != nil) != (test.fault != "") || err != nil && err.Error() != test.fault {
				t.Errorf("%s %s = %#v, %v", test.mediaType, test.data, got, err)
			}
		}
	}
}

func TestASlotIsSeenInItsZone(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Skip(err)
	}
	env := NewSlotEnv(Slot{Time: time.Unix(1_800_000_000, 0).In(paris), Number: 7})
	env.SetPrevious(map[string]any{"n": 1})
	for src, want := range map[string]any{
		`slot.time`:                        "2027-01-15T09:00:00+01:00",
		`slot.unix`:                        1_800_000_000,
		`slot.number`:                      7,
		`slot`:                             map[string]any{"time": "2027-01-15T09:00:00+01:00", "unix": 1_800_000_000, "number": 7},
		`slot.unix + slot.number`:          1_800_000_007,
		`previous.n + 1`:                   2,
		`slot.number % 2 == 1 ? "a" : "b"`: "a",
	} {
		x, err := Compile(src, ScheduleData)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Eval(env); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %#v, %v; want %#v", src, got, err, want)
		}
	}
}

func TestAnExpressionCantTakeAllMemory(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	list, _ := json.Marshal(make([]int, 200_000))
	for name, src := range map[string]string{
		"a doubled text":          `let a = data.big + data.big; ` + doubling("%[2]s + %[2]s", 40),
		"a doubled list":          `let a = [data.list, data.list]; ` + doubling("[%[2]s, %[2]s]", 40),
		"a doubled map":           `let a = {"x": data.list}; ` + doubling(`{"x": %[2]s, "y": %[2]s}`, 40),
		"a long range":            `1..100000000`,
		"ranges in ranges":        `map(1..10000, map(1..10000, #))`,
		"a repeated text":         `repeat(data.big, 1000)`,
		"copies by map":           `map(1..1000, data.big)`,
		"copies by reduce":        `reduce(1..1000, #acc + data.big, "")`,
		"joined with a long glue": `join(data.list, data.big)`,
		"replaced by a long text": `replace(data.big, "", data.big)`,
		"replaced letters":        `replace(data.big, "x", data.big)`,
		"uniq of very many":       `uniq(data.list)`,
		"templates of a copy":     `toJSON(map(1..200, data.big))`,
	} {
		t.Run(name, func(t *testing.T) {
			env := NewEnv(&events.Event{Data: json.RawMessage(`{"big":"` + big + `","list":` + string(list) + `}`)})
			x, err := Compile(src, HandlerWhen)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := x.Eval(env); err == nil {
				t.Errorf("gave %.40v and no error", v)
			}
		})
	}
}

// doubling chains declarations, each twice as large as the one before.
func doubling(format string, n int) string {
	var b strings.Builder
	name := "a"
	for i := range n {
		next := "v" + strings.Repeat("i", i+1)
		b.WriteString("let " + next + " = " + strings.NewReplacer("%[2]s", name).Replace(format) + "; ")
		name = next
	}
	return b.String() + name
}

func TestALoopHasAnEnd(t *testing.T) {
	// Every kind of loop is counted.
	for _, loop := range []string{
		`all(%, # > -1)`, `none(%, # < 0)`, `any(%, # < 0)`, `one(%, # < 0)`, `filter(%, # < 0)`, `map(%, #)`, `count(%, # < 0)`, `sum(%, #)`,
		`find(%, # < 0)`, `findIndex(%, # < 0)`, `findLast(%, # < 0)`, `groupBy(%, #)`, `sortBy(%, #)`, `reduce(%, #)`,
	} {
		x, err := Compile(strings.ReplaceAll(loop, "%", "data"), HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		m := &machine{own: Budget{maxWork: 1000, tooMuch: errTooMuch}}
		m.names.Limits = &m.own
		m.names.Data = []any{1, 2, 3}
		if _, err := m.vm.Run(x.program, &m.names); err != nil || m.own.work < 2 {
			t.Errorf("%s: %d steps, %v", loop, m.own.work, err)
		}
	}
}

func TestEnvGivesAVariableAndKeepsItSecret(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-token")
	var secrets Secrets
	x, err := Compile(`"Bearer " + env("EVRUN_TEST_TOKEN")`, HandlerWith.In(t.TempDir(), &secrets))
	if err != nil {
		t.Fatal(err)
	}
	v, err := x.Eval(adaEnv())
	if v != "Bearer s3cret-token" || err != nil {
		t.Fatalf("= %v, %v", v, err)
	}
	if got := secrets.Redact("sent Basic s3cret-token, Bearer s3cret-token"); got != "sent Basic [secret], [secret]" {
		t.Error(got)
	}
}

func TestConcurrentEvaluations(t *testing.T) {
	x, err := Compile(`join(map(data.items, .sku), data.name) + string(event.seq)`, HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 4 {
		go func() {
			var err error
			for range 200 {
				var v any
				if v, err = x.Eval(adaEnv()); err == nil && v != "xAday42" {
					err = errors.New(v.(string))
				}
				if err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
