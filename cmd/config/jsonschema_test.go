package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/config/yaml"
	"evrun/store/sqlite"
	"evrun/tasks/expression"
	"evrun/tasks/handlers"
	"evrun/tasks/schema"
)

// wiringSchema is the schema as evrun prints it.
func wiringSchema(t testing.TB) *schema.Schema {
	t.Helper()
	text, err := json.Marshal(JSONSchema())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := expression.DecodeJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	s, faults := schema.Compile(doc)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return s
}

// tree is what an editor sees of a file; false where it is not valid YAML.
func tree(t testing.TB, path string) (any, bool) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return treeOf(src)
}

func treeOf(src []byte) (any, bool) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	d := newDocument("", src)
	root, faults := yaml.Parse(src)
	if root == nil || len(faults) > 0 {
		return nil, false
	}
	v := d.value(root)
	return v, len(d.faults) == 0
}

func TestTheSchemaTakesGoodFiles(t *testing.T) {
	s := wiringSchema(t)
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	design := write(t, design)
	for _, path := range append(paths, "../../config.example.yaml", design) {
		v, ok := tree(t, path)
		if !ok {
			t.Fatal(path)
		}
		if list, more := s.Check(v); len(list) > 0 {
			t.Errorf("%s: %s", path, schema.Join(list, more))
		}
	}
}

// unseen are the bad files that are wrong in what no schema sees, by why that is.
var unseen = map[string][]string{
	"an expression":            {"handler-when-[^l]*", "handler-when-lines", "handler-order-by*", "handler-debounce-by*", "handler-debounce-template", "handler-events-*", "handler-on-dead-result", "handler-on-dead-template", "handler-with-template", "sql-expression", "schedule-data", "typed-*", "yaml-folded-error"},
	"a pattern or a type":      {"handler-on-patterns", "handler-emit-type"},
	"a time or its zone":       {"schedule-cron-[^n]*", "schedule-cron-name", "schedule-monthly", "schedule-weekly", "schedule-zone-[^n]*"},
	"a size or a duration":     {"settings-grace-long", "settings-grace-zero", "settings-max-event-bounds", "settings-max-event-unit", "schedule-every-short", "schedule-grace"},
	"two keys together":        {"settings-socket-group"},
	"a path":                   {"settings-socket-long", "settings-store-folder", "settings-store-memory", "settings-store-nul", "settings-store-postgres", "sql-dsn"},
	"several values together":  {"handler-debounce-max", "handler-retry-order", "handler-timeout-short", "name-duplicate", "schedule-bounds", "schedule-dst", "schedule-zone-not-followed", "schedule-two-timings", "strict-emit", "strict-no-events", "strict-on-dead", "strict-schedule", "schedule-max-missed", "tests-names", "tests-no-slot", "tests-stub-inside"},
	"a schema within the file": {"schema-constant-data", "schema-dialect", "schema-dynamic", "schema-format", "schema-keyword*", "schema-openapi", "schema-pattern", "schema-ref-*"},
	"a service's url":          {"notify-url"},
	"an SQL statement":         {"sql-create", "sql-forbidden", "sql-interpolated", "sql-second-line", "sql-two-statements"},
	"a file beside it":         {"schema-file"},
}

// TestTheSchemaRefusesBadFiles: all that is wrong in the structure of a file, an editor underlines. A file that is not refused
// is listed above; one that is listed and refused is listed in vain.
func TestTheSchemaRefusesBadFiles(t *testing.T) {
	s := wiringSchema(t)
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		v, ok := tree(t, path)
		if !ok {
			continue // an editor has no need of a schema to see that this is not valid YAML
		}
		why := ""
		for reason, patterns := range unseen {
			if slices.ContainsFunc(patterns, func(p string) bool { m, _ := filepath.Match(p, name); return m }) {
				why = reason
			}
		}
		switch list, _ := s.Check(v); {
		case len(list) > 0 && why != "":
			t.Errorf("%s is refused, but listed as %s", name, why)
		case len(list) == 0 && why == "":
			t.Errorf("%s is not refused: mend the table in jsonschema.go, or list the file above", name)
		case len(list) > 0:
			refused++
		}
	}
	if refused < 70 {
		t.Errorf("only %d files are refused", refused)
	}
}

// TestTheSchemaKnowsTheKeysThatLoadReads asks Load, through its hints, which keys each mapping has and needs.
func TestTheSchemaKnowsTheKeysThatLoadReads(t *testing.T) {
	places := map[string]string{
		"file": "%s", "store": "store: %s", "server": "server: %s", "log": "log: %s", "retention": "retention: %s", "event": "events: {a.b: %s}",
		"schedule": "schedules: [%s]", "handler": "handlers: [%s]", "retry": "handlers: [{name: a, on: b, do: log, with: {message: x}, retry: %s}]",
		"debounce": "handlers: [{name: a, on: b, do: log, with: {message: x}, debounce: %s}]",
		"emission": "handlers: [{name: a, on: b, do: log, with: {message: x}, emit: %s}]",
		"test":     "tests: [%s]", "given": "tests: [{name: a, expect: {runs: []}, given: [%s]}]", "expect": "tests: [{name: a, given: [{type: b}], expect: %s}]",
		"stub":           "handlers: [{name: a, on: b, do: log, with: {message: x}}]\ntests: [{name: a, given: [{type: b}], expect: {runs: []}, stubs: {a: %s}}]",
		"expected run":   "tests: [{name: a, given: [{type: b}], expect: {runs: [%s]}}]",
		"expected event": "tests: [{name: a, given: [{type: b}], expect: {events: [%s]}}]",
		"expected user":  "tests: [{name: a, given: [{type: b}], expect: {users: [%s]}}]",
		"user":           "tests: [{name: a, given: [{type: b}], expect: {runs: []}, users: [%s]}]",
	}
	needs := regexp.MustCompile(` needs "(\w+)"`)
	for _, m := range mappings {
		place, ok := places[m.name]
		if !ok {
			t.Errorf("say where a %s stands in a file", m.name)
			continue
		}
		var want, required []string
		for _, k := range m.keys {
			want = append(want, k.name)
			if k.required {
				required = append(required, k.name)
			}
		}
		var keys, needed []string
		_, err := Load(write(t, fmt.Sprintf(place, "{zzzzzzzzzzzz: 1}")+"\n"), Options{Getenv: noEnv, ParseStatement: sqlite.ParseStatement})
		var e *Errors
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", m.name, err)
		}
		for _, f := range e.Faults {
			if list, ok := strings.CutPrefix(f.Hint, "its keys are "); ok {
				keys = strings.Split(strings.ReplaceAll(list, " and ", ", "), ", ")
			} else if key, ok := strings.CutPrefix(f.Hint, "its only key is "); ok {
				keys = []string{key}
			}
			if found := needs.FindStringSubmatch(f.Message); found != nil {
				needed = append(needed, found[1])
			}
		}
		for _, list := range []*[]string{&keys, &want, &needed, &required} {
			slices.Sort(*list)
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%s: Load reads %v, the schema has %v: mend the table in jsonschema.go", m.name, keys, want)
		}
		if !slices.Equal(needed, required) {
			t.Errorf("%s: Load needs %v, the schema %v: mend the table in jsonschema.go", m.name, needed, required)
		}
	}
}

func TestTheSchemaHasAllKindsWithTheirInputs(t *testing.T) {
	text, err := json.Marshal(JSONSchema())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range handlers.Kinds() {
		if !strings.Contains(string(text), fmt.Sprintf(`{"const":%q,"description":`, k.Name)) {
			t.Errorf("the kind %s is not in it", k.Name)
		}
		for _, in := range k.Inputs {
			if k.Schema()["properties"].(map[string]any)[in.Name] == nil {
				t.Errorf("%s: the input %s is not in it", k.Name, in.Name)
			}
		}
	}
}
