package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/cmd/config/include"
	"evrun/cmd/drivers"
)

func TestAThousandOfEachLoad(t *testing.T) {
	c, err := Load(write(t, aThousandOfEach()), Options{Getenv: noEnv, Parsers: drivers.Parsers})
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

// BenchmarkLoad reads a long file that is right, and the texts of 1 MiB that cost most.
func BenchmarkLoad(b *testing.B) {
	const size = 1<<20 - 64
	var keys strings.Builder
	keys.WriteString("x-keys:\n")
	for i := 0; keys.Len() < size; i++ {
		fmt.Fprintf(&keys, "  k%d: v\n", i)
	}
	for name, text := range map[string]string{
		"a thousand of each": aThousandOfEach(),
		"keys":               keys.String(),
		"a, a, …":            "x-list: [" + strings.Repeat("a, ", size/3) + "]\n",
	} {
		b.Run(name, func(b *testing.B) {
			path := write(b, text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers}); err != nil {
					b.Fatal(err)
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
	for _, path := range append(paths, "../../config.example.yaml", "../starter/full.yaml") {
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
	wiring := wiringSchemas(f)["2020-12"]
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := check("evrun.yaml", "/etc/evrun.yaml", include.File{Text: src}, Options{Getenv: noEnv, Parsers: drivers.Parsers}, true, new(include.Inputs))
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if err == nil {
			// An editor with the schema does not underline anything that Load accepts.
			if v, ok := treeOf(src); ok {
				if err := wiring.Validate(v); err != nil {
					t.Errorf("%v\n%s", err, src)
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

func TestAnchorsAndMergeKeys(t *testing.T) {
	c, err := Load("testdata/good/anchors.yaml", Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if err != nil {
		t.Fatal(err)
	}
	one, two := c.Wiring.Handlers[0], c.Wiring.Handlers[1]
	if one.Timeout != 5*time.Minute || one.Retry.Attempts != 10 || one.Emit != nil {
		t.Errorf("%+v", one)
	}
	if two.Timeout != time.Minute || two.Retry.Attempts != 3 || two.Retry.Backoff != time.Second || len(two.Emit) != 1 {
		t.Errorf("%+v", two)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("%+v", c.Warnings)
	}
}
