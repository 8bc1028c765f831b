package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"evrun/tasks/schema"
)

// hostile are files of 1 MiB that are dear to check, each in its own way. What is dear to parse is in the yaml package's test.
func hostile() map[string]string {
	const size = 1<<20 - 64
	fill := func(head, format, tail string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := 0; b.Len() < size-len(tail); i++ {
			if strings.Contains(format, "%d") {
				fmt.Fprintf(&b, format, i)
			} else {
				b.WriteString(format)
			}
		}
		return b.String()[:min(b.Len(), size-len(tail))] + tail
	}
	times := func(head, format string, n int) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const handler = "handlers:\n- name: a\n  on: b\n  do: log\n"
	return map[string]string{
		"brackets":            strings.Repeat("[", size),
		"alias bomb":          "a: &a [x]\n" + fill("", "b%d: &b%[1]d [*a, *a, *a, *a]\n", ""),
		"unknown keys":        fill("", "kye%d: 1\n", ""),
		"handlers":            fill("handlers:\n", "- {name: h%d, on: a.b, do: log, with: {message: hello}}\n", ""),
		"one round":           fill("handlers:\n", "- {name: h%d, on: a.*, do: emit, with: {type: a.b}}\n", ""),
		"many rounds":         fill("handlers:\n", "- {name: h%d, on: [a.b%[1]d, c], do: emit, with: {type: c, data: {}}, emit: a.b%[1]d}\n", ""),
		"lost types":          fill("events: {x.y: }\nhandlers:\n", "- {name: h%d, on: on.t%[1]d, do: log, with: {message: x}, emit: lost.t%[1]d}\n", ""),
		"tests":               fill(handler+"  with: {message: x}\ntests:\n", "- {name: t%d, given: [{type: b, data: {x: 1}}], expect: {runs: [{handler: a}], events: []}}\n", ""),
		"tests of nobody":     fill(handler+"  with: {message: x}\ntests:\n- name: x\n  given: [{type: b}]\n  expect:\n    runs:\n", "    - {handler: h%d}\n", ""),
		"handlers of nothing": fill("handlers:\n", "- {}\n", ""),
		"one name":            fill("handlers:\n", "- {name: a}\n", ""),
		"nulls":               fill("handlers:\n", "-\n", ""),
		"patterns":            fill("handlers:\n- name: a\n  do: log\n  with: {message: x}\n  on: [", "a.b%d,", "]\n"),
		"long pattern":        fill("handlers:\n- name: a\n  do: log\n  with: {message: x}\n  on: ", "a.", "b\n"),
		"schedules":           fill("schedules:\n", "- {name: s%d, emit: a, cron: 0 0 30 2 *}\n", ""),
		"rare schedules":      fill("schedules:\n", "- {name: s%d, emit: a, cron: '59 59 23 29 2 MON#5', timezone: Europe/Paris}\n", ""),
		"long cron":           fill("schedules:\n- name: a\n  emit: b\n  cron: ", "1,", "1 * * * *\n"),
		"dailies":             fill("schedules:\n- name: a\n  emit: b\n  daily: [", "09:00,", "]\n"),
		"bad dailies":         fill("schedules:\n- name: a\n  emit: b\n  daily: [", "x,", "]\n"),
		"at":                  fill("schedules:\n- name: a\n  emit: b\n  at: [", "2026-12-24T18:00:00Z,", "]\n"),
		"time zones":          fill("schedules:\n", "- {name: s%d, emit: a, daily: 09:00, timezone: Etc/Nowhere%[1]d}\n", ""),
		"expressions":         fill(handler+"  with:\n    message: ", "${data.x}", "\n"),
		"calls":               fill(handler+"  with:\n    message: ", "${ upper(data.x + \"y\") } "+strings.Repeat(" ", 90), "\n"),
		"conditions":          fill("handlers:\n", "- {name: h%d, on: a.b, do: log, with: {message: hello}, when: data.x == 1, order_by: data.y + 1}\n", ""),
		"some calls":          fill(handler+"  with:\n    message: ", "${ upper(data.x + \"y\") } "+strings.Repeat(" ", 700), "\n"),
		"long when":           fill(handler+"  with: {message: x}\n  when: ", "data.x == 1 and ", "true\n"),
		"long sum":            fill(handler+"  with: {message: x}\n  when: 1", " + 1", "\n"),
		"parentheses":         fill(handler+"  with: {message: x}\n  when: ", "(", "\n"),
		"nots":                fill(handler+"  with: {message: x}\n  when: ", "!", "x\n"),
		"expression brackets": fill(handler+"  with: {message: x}\n  when: 1", "[", "\n"),
		"unclosed template":   fill(handler+"  with:\n    message: ", "${{", "\n"),
		"payload":             fill("schedules:\n- name: a\n  emit: b\n  every: 5s\n  data: {", "k%d: 1,", "}\n"),
		"long text":           fill(handler+"  with:\n    message: |\n", "      line %d\n", ""),
		"long name":           fill("handlers:\n- name: ", "x", "\n"),
		"events":              fill("events:\n", "  t%d: {description: x}\n", ""),
		"schema":              fill("events:\n  a:\n    schema:\n      properties:\n", "        p%d: {type: string}\n", ""),
		"large schema":        times("events:\n  a:\n    schema:\n      properties:\n", "        p%d: {type: string, minLength: 1}\n", 998),
		"two large schemas":   times("events:\n  a:\n    schema:\n      properties:\n", "        p%d: {type: string, minLength: 1}\n", 990) + times("  b:\n    schema:\n      properties:\n", "        p%d: {type: string, minLength: 1}\n", 990),
		"wrong large schema":  times("events:\n  a:\n    schema:\n      properties:\n", "        p%d: {type: text, minLength: x}\n", 998),
		"nested references":   times("events:\n  a:\n    schema:\n      $ref: '#/$defs/d0'\n      type: object\n      $defs:\n", "        d%d: {type: object, properties: {a: {$ref: '#/$defs/d0'}, b: {$ref: '#/$defs/d0'}}}\n", 300),
		"dear patterns":       times("events:\n  a:\n    schema:\n      patternProperties:\n", "        (x?){900}p%d: {pattern: '(x?){900}%[1]d'}\n", 400),
		"typed expressions":   times("events: {b: {schema: {type: object, properties: {x: {type: integer}}, additionalProperties: false}}}\nhandlers:\n", "- {name: h%d, on: b, do: log, with: {message: \"${ data.x }\"}, when: data.x == 1}\n", 1200),
		"typed paths":         times("events: {b: {schema: {type: object, properties: {x: {type: integer}}, additionalProperties: false}}}\nhandlers:\n", "- {name: h%d, on: b, do: log, with: {message: \"${ data.x } ${ data.x } ${ data.x } ${ data.x } ${ data.x } ${ data.x }\"}}\n", 1600),
		"schemas":             fill("events:\n", "  t%d: {schema: {properties: {a: {type: integer}}}}\n", ""),
		"bad schemas":         fill("events:\n", "  t%d: {schema: {properties: {a: {type: text}}}}\n", ""),
		"schema of one enum":  fill("events:\n  a:\n    schema: {enum: [", "v%d,", "]}\n"),
		"schema files":        fill("events:\n", "  t%d: {schema_file: schemas/none.json}\n", ""),
		"strict types":        fill("strict_types: true\nhandlers:\n- {name: a, on: b, do: log, with: {message: x}, emit: [", "a%d,", "]}\n"),
		"zeroes":              fill("schedules:\n- name: a\n  every: ", "0", "s\n"),
		"digits":              fill("schedules:\n- name: a\n  every: 5s\n  emit: b\n  data: ", "9", "\n"),
		"escapes":             fill("store: \"", `\x41`, "\"\n"),
		"comments":            fill("store: a.db\n", "# comment\n", ""),
	}
}

// A check may allocate so much in all, garbage included. A busy machine changes nothing about that, as it does about the time,
// which only BenchmarkLoad measures.
const (
	maxAllocated   = 72 << 20
	maxAllocations = 1_500_000
)

// allocated is how much f allocates: bytes, and how often.
func allocated(f func()) (bytes, times uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// loads checks a file within its bounds.
func loads(t *testing.T, path string) (c *Config, err error) {
	t.Helper()
	bytes, times := allocated(func() {
		if c, err = Load(path, Options{Getenv: noEnv}); err != nil {
			_ = err.Error()
		}
	})
	if (bytes > maxAllocated || times > maxAllocations) && !raceEnabled {
		t.Errorf("allocated %d MiB in %d pieces", bytes>>20, times)
	}
	t.Logf("%d MiB in %d pieces: %.150v", bytes>>20, times, err)
	return c, err
}

func TestHostileFilesCostLittle(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			_, _ = loads(t, write(t, text))
		})
	}
}

func TestAThousandOfEachLoad(t *testing.T) {
	c, err := loads(t, write(t, aThousandOfEach()))
	if err != nil || len(c.Wiring.Schedules) != 1000 || len(c.Wiring.Handlers) != 1000 {
		t.Fatal(err)
	}
}

func aThousandOfEach() string {
	var b strings.Builder
	b.WriteString("schedules:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  - name: schedule-%d\n    cron: \"%d 9 * * MON-FRI\"\n    timezone: Europe/Paris\n    emit: user.registered\n    data: {name: \"Visitor ${ slot.unix }\", email: \"v-${ slot.unix }@example.com\"}\n", i, i%60)
	}
	b.WriteString("handlers:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  - name: handler-%d\n    on: user.registered\n    when: data.email contains \"@\"\n    do: user.insert\n    with: {name: \"${ data.name }\", email: \"${ data.email }\"}\n"+
			"    retry: {attempts: 5, backoff: 1s, max: 1m}\n    timeout: 30s\n    emit: user.created\n", i)
	}
	return b.String()
}

// BenchmarkLoad takes under 100 ms for each hostile file, on a machine with nothing else to do.
func BenchmarkLoad(b *testing.B) {
	files := hostile()
	files["a thousand of each"] = aThousandOfEach()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b.Run(name, func(b *testing.B) {
			path := write(b, files[name])
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(path, Options{Getenv: noEnv}); err != nil {
					_ = err.Error()
				}
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(paths, "../../config.example.yaml") {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	good, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range good {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte(design))
	wiring := wiringSchema(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := check("evrun.yaml", "/etc/evrun.yaml", src, Options{Getenv: noEnv}, true)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if err == nil {
			// What Load takes, an editor that knows the schema does not underline.
			if v, ok := treeOf(src); ok {
				if list, more := wiring.Check(v); len(list) > 0 {
					t.Errorf("%s\n%s", schema.Join(list, more), src)
				}
			}
			return
		}
		for _, fault := range faults(t, err) {
			if fault.Message == "" || fault.Line > 0 && fault.Column < 1 {
				t.Errorf("%+v", fault)
			}
		}
		var e *Errors
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if e.Pretty(true) == "" || strings.ContainsAny(e.Pretty(false), "\x1b\a") || strings.ContainsAny(e.Error(), "\x1b\a") {
			t.Errorf("%q", e.Pretty(false))
		}
	})
}
