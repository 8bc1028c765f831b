package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"evrun/events"
)

// payload is data of about a MiB: a text, a list of numbers, a list of texts, and one that is nested.
var payload = func() *events.Event {
	numbers, _ := json.Marshal(make([]int, 100_000))
	words := make([]string, 20_000)
	for i := range words {
		words[i] = fmt.Sprintf("word-%06d", i)
	}
	texts, _ := json.Marshal(words)
	data := fmt.Sprintf(`{"big":%q,"numbers":%s,"words":%s,"deep":%s,"pattern":%q,"row":{"n":1}}`, strings.Repeat("x", 400<<10), numbers, texts,
		strings.Repeat("[", 2000)+strings.TrimSuffix(strings.Repeat("1,", 10_000), ",")+strings.Repeat("]", 2000), "(a{0,30}){0,30}b")
	return &events.Event{ID: "e", Type: "a", Data: json.RawMessage(data)}
}()

// Without counting, each of these takes seconds to minutes. The test checks that it is refused, not the time, which means nothing on a busy machine.
func TestWorkIsCounted(t *testing.T) {
	env := NewEnv(payload)
	for _, src := range []string{
		`len(filter(1..1500000, # % 7 == data.row.n + # - #))`,
		`count(data.numbers, # in data.numbers)`,
		`count(data.words, # in data.words)`,
		`count(data.numbers, count(data.numbers, # > 1) > 0)`,
		`count(data.numbers, data.big contains "y")`,
		`count(data.numbers, data.big == data.big + "")`,
		`count(data.numbers, data.big < data.big)`,
		`count(data.numbers, len(data.big) == #)`,
		`count(data.numbers, data.words == data.words)`,
		`count(data.numbers, sum(data.numbers) == #)`,
		`count(data.numbers, max(data.numbers) == #)`,
		`count(data.numbers, indexOf(data.big, "y") == #)`,
		`count(data.numbers, trim(data.big, "x") == string(#))`,
		`count(data.numbers, data.big startsWith data.big)`,
		`count(data.numbers, data.big in ["a", "b"])`,
		`count(data.numbers, data.big matches "^x*y$")`,
		`count(data.numbers, date("2026-01-01").Format(data.big) == "")`,
		`count(1..1000000, date("2026-01-01") == date("2026-01-02"))`,
		`count(data.words, flatten(data.deep) == [])`,
		`map(data.words, keys(data))`,
		`trim(data.big + repeat("ä", 200000), repeat("ö", 200000) + "x")`,
		`data.big matches "(x{0,30}){0,30}y"`,
		`data.big matches data.pattern`,
		`toJSON(data.deep)`,
	} {
		x, err := Compile(src, HandlerWhen)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		env.Within(NewBudget(maxWork/20, "the test allows", "")) // the same, sooner
		if _, err = x.Eval(env); err == nil || !strings.Contains(err.Error(), "steps") && !strings.Contains(err.Error(), "memory") {
			t.Errorf("%s: %v", src, err)
		}
	}

	x, err := Compile(`data.big + data.big matches "(x{0,30}){0,30}y"`, HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	env.Within(nil)
	if _, err := x.Eval(env); err == nil || !strings.Contains(err.Error(), errTooMuch.Msg) {
		t.Errorf("without a budget of others: %v", err)
	}
}

func TestASmallBudgetRefusesWhatAllWouldTake(t *testing.T) {
	for _, src := range []string{
		`len(filter(1..1500000, {# % 7 == result.row.n}))`,
		`len(1..1500000) + result.row.n`,
		`filter(data.words, # in data.words and result.row.n > 0)`,
		`len(data.numbers) + len(sort(data.numbers)) + result.row.n`,
		`data.big contains data.big and data.big == data.big and data.big matches "xy" and result.row.n == 0`,
		`sum(data.numbers) + result.row.n`,
		`string(data.words) + string(result.row.n)`,
		`toJSON(data.words)`,
		`join(data.words, data.big) + string(result.row.n)`,
		`flatten(data.deep)`,
		`median(data.numbers) + result.row.n`,
		`fromJSON(data.big + "1")`,
		`concat(data.words, data.numbers)`,
	} {
		x, err := Compile(src, HandlerEmit)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		env := NewEnv(payload)
		env.SetResult(map[string]any{"row": map[string]any{"n": 1}})
		b := NewBudget(20_000, "the transaction allows", "compute it elsewhere")
		env.Within(b)
		_, err = x.Eval(env)
		var e *Error
		if !errors.As(err, &e) || e.Error() != "it takes more than 20,000 steps, the most that the transaction allows; compute it elsewhere" {
			t.Errorf("%s: %v", src, err)
		}
		if b.Left() != 0 {
			t.Errorf("%s: %d steps are left", src, b.Left())
		}
		// What comes after it has nothing left.
		if err := b.Spend(1); err == nil {
			t.Errorf("%s: more was spent than there was", src)
		}
	}
}

func TestABudgetIsSharedAndRenewed(t *testing.T) {
	x, err := Compile(`count(1..100, # > result.n)`, HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	env := NewEnv(payload)
	env.SetResult(map[string]any{"n": 50})
	b := NewBudget(5000, "somebody allows", "")
	env.Within(b)
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = x.Eval(env)
	}
	if err == nil || n < 2 {
		t.Fatalf("%d evaluations: %v", n, err)
	}
	b.Renew()
	if _, err := x.Eval(env); err != nil {
		t.Error(err)
	}
}

func TestARegularExpressionIsBounded(t *testing.T) {
	env := NewEnv(&events.Event{Data: json.RawMessage(`{"s":"abc","good":"^a.c$","long":"` + strings.Repeat("a", 2000) + `","large":"` + strings.Repeat("c{1,900}", 30) + `","bad":"(","letters":"(?i)[` + strings.Repeat(`\\pL`, 250) + `]"}`)})
	for src, want := range map[string]string{
		`data.s matches data.long`:    "the regular expression has 2000 bytes, and the maximum is 1000",
		`data.s matches data.large`:   "the regular expression is too large: its repetitions are too many",
		`data.s matches data.bad`:     "error parsing regexp: missing closing ): `(`",
		`data.s matches 5`:            "",
		`data.nothing matches data.s`: "<false>",
		`data.s matches data.good`:    "<true>",
		`data.s matches "^a.c$"`:      "<true>",
		`not (data.s matches "b$")`:   "<true>",
	} {
		x, err := Compile(src, HandlerWhen)
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", src, err)
			}
			continue
		}
		got, err := x.Eval(env)
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprintf("<%v>", got)
		}
		if got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
	x, err := Compile(`data.s matches data.letters`, HandlerEmit)
	if err != nil {
		t.Fatal(err)
	}
	env.Within(NewBudget(100_000, "there is", ""))
	if _, err := x.Eval(env); err == nil {
		t.Error("250 classes of all letters were nothing")
	}

	// A literal pattern is compiled when the file is loaded.
	for _, src := range []string{`data.s matches "("`, `data.s matches "(?!x)"`, `data.s matches "` + strings.Repeat("c{1,900}", 30) + `"`} {
		var e *Error
		if _, err := Compile(src, HandlerWhen); !errors.As(err, &e) || e.Offset != strings.IndexByte(src, '"') {
			t.Errorf("%s: %+v", src, err)
		}
	}
}

func TestCountingChangesNoValue(t *testing.T) {
	env := NewEnv(payload)
	env.SetResult(map[string]any{"row": map[string]any{"n": 2, "list": []any{3, 1, 2}, "text": "héllo"}})
	for src, want := range map[string]any{
		`map(result.row.list, # == result.row.n ? "x" : "y")`:                         []any{"y", "y", "x"},
		`filter(result.row.list, # in result.row.list)`:                               []any{3, 1, 2},
		`filter(result.row.list, # not in [1, 2])`:                                    []any{3},
		`filter(result.row.list, not (# in 1..2))`:                                    []any{3},
		`sort(result.row.list)`:                                                       []any{1, 2, 3},
		`sortBy(result.row.list, -#)`:                                                 []any{3, 2, 1},
		`len(result.row.text)`:                                                        5,
		`trim("  x ") + trim("--x-", "-")`:                                            "xx",
		`flatten([1, [2, [3]], ["a"]])`:                                               []any{1, 2, 3, "a"},
		`median([1, [3, 2]])`:                                                         2.0,
		`median(1, 2, 3, 4)`:                                                          2.5,
		`toJSON({"a": [1]})`:                                                          "{\n  \"a\": [\n    1\n  ]\n}",
		`date("2026-01-02").Format("Jan")`:                                            "Jan",
		`date(result.row?.none ?? "2026-01-02")?.Year()`:                              2026,
		`1 + (result.row?.list?.[1] ?? 0)`:                                            2,
		`result.row?.none?.sub?.x == nil`:                                             true,
		`sum(result.row.list) + max(result.row.list)`:                                 9,
		`2 in result.row.list and "n" in result.row`:                                  true,
		`all(result.row.list, {# <= 3 and # < 4})`:                                    true,
		`result.row.text startsWith "hé" ? upper(result.row.text) : ""`:               "HÉLLO",
		`any(["a", "b"], result.row.text contains # or # startsWith result.row.text)`: false,
	} {
		for _, scope := range []Scope{HandlerEmit, {names: HandlerEmit.names}} {
			x, err := Compile(src, scope)
			if err != nil {
				t.Errorf("%s: %v", src, err)
				continue
			}
			if got, err := x.Eval(env); err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
				t.Errorf("%s = %#v, %v; want %#v", src, got, err, want)
			}
		}
	}
}
