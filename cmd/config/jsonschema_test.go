package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/cmd/config/yaml"
	"evrun/cmd/drivers"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// wiringSchemas are the schemas that evrun prints, by their drafts.
func wiringSchemas(t testing.TB) map[string]*jsonschema.Schema {
	t.Helper()
	schemas := map[string]*jsonschema.Schema{}
	for draft := range fields.Drafts {
		c := jsonschema.NewCompiler()
		if err := c.AddResource("evrun.json", printedSchema(t, draft)); err != nil {
			t.Fatal(err)
		}
		s, err := c.Compile("evrun.json")
		if err != nil {
			t.Fatalf("draft %s: %v", draft, err)
		}
		schemas[draft] = s
	}
	return schemas
}

// printedSchema is the schema as an editor reads it.
func printedSchema(t testing.TB, draft string) any {
	t.Helper()
	text, err := json.Marshal(JSONSchema(draft))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// tree returns a file's content as an editor sees it; false if it is not valid YAML.
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
	d := newDocument("", "", src)
	root, faults := yaml.Parse(d.texts[0].Text)
	if root == nil || len(faults) > 0 {
		return nil, false
	}
	v := d.value(root)
	return v, len(d.faults) == 0
}

func TestTheSchemaTakesGoodFiles(t *testing.T) {
	schemas := wiringSchemas(t)
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	design := write(t, design)
	for _, path := range append(paths, "../../config.example.yaml", "../starter/full.yaml", design) {
		v, ok := tree(t, path)
		if !ok {
			t.Fatal(path)
		}
		for draft, s := range schemas {
			if err := s.Validate(v); err != nil {
				t.Errorf("draft %s, %s: %v", draft, path, err)
			}
		}
	}
}

// unseen are the bad files whose faults no schema can detect, by the reason.
var unseen = map[string][]string{
	"an expression":            {"handler-bare-names", "handler-when-[^l]*", "handler-when-lines", "handler-order-by*", "handler-debounce-by*", "handler-debounce-template", "handler-events-*", "handler-on-dead-result", "handler-on-dead-template", "handler-with-template", "short-user", "sql-expression", "schedule-data", "typed-*", "yaml-folded-error"},
	"a pattern or a type":      {"handler-on-patterns", "handler-emit-type"},
	"a time or its zone":       {"schedule-cron-[^n]*", "schedule-cron-name", "cron-foreign", "schedule-monthly", "schedule-weekly", "schedule-zone-[^n]*"},
	"a size or a duration":     {"settings-grace-long", "settings-grace-zero", "settings-max-event-bounds", "settings-max-event-unit", "output-bounds", "schedule-every-short", "schedule-grace"},
	"two keys together":        {"settings-socket-group", "settings-max-streams", "settings-tls-[^kw]*", "settings-tls-key-alone"},
	"a line of words":          {"short-words", "short-places"},
	"a path":                   {"settings-socket-long", "settings-store-folder", "settings-store-memory", "settings-store-nul", "settings-store-url-*", "sql-dsn"},
	"several values together":  {"handler-debounce-max", "handler-retry-order", "output-retry-of-both", "handler-timeout-short", "name-duplicate", "schedule-bounds", "schedule-dst", "schedule-zone-not-followed", "schedule-two-timings", "strict-emit", "strict-no-events", "strict-on-dead", "strict-schedule", "schedule-max-missed", "tests-names", "tests-no-slot", "tests-stub-inside"},
	"a schema within the file": {"schema-constant-data", "schema-dialect", "schema-dynamic", "schema-format", "schema-keyword*", "schema-openapi", "schema-pattern", "schema-ref-*"},
	"a service's url":          {"notify-url"},
	"an SQL statement":         {"sql-create", "sql-forbidden", "sql-interpolated", "sql-second-line", "sql-two-statements"},
	"a file beside it":         {"schema-file", "include-cycle", "include-names", "include-syntax"},
	"an address":               {"settings-listen-all", "settings-listen-host", "settings-listen-name", "settings-listen-open", "settings-listen-port"},
	"the zones of the machine": {"settings-timezone", "settings-timezone-shell"},
}

// TestTheSchemaRefusesBadFiles: an editor underlines every fault in the structure of a file. Exactly the files that the schema accepts must be listed
// above.
func TestTheSchemaRefusesBadFiles(t *testing.T) {
	schemas := wiringSchemas(t)
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
		for draft, s := range schemas {
			switch err := s.Validate(v); {
			case err != nil && why != "":
				t.Errorf("draft %s: %s is refused, but listed as %s: %v", draft, name, why, err)
			case err == nil && why == "":
				t.Errorf("draft %s: %s is not refused: mend the tags, or list the file above", draft, name)
			case err != nil:
				refused++
			}
		}
	}
	if refused < 140 {
		t.Errorf("only %d files are refused, by both drafts together", refused)
	}
}

// TestTheSchemaKnowsTheKeysThatLoadReads asks Load, through its hints, which keys each mapping has and needs.
func TestTheSchemaKnowsTheKeysThatLoadReads(t *testing.T) {
	places := map[string]string{
		"file": "%s", "store": "store: %s", "server": "server: %s", "log": "log: %s", "event": "events: {a.b: %s}",
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
	known := mappingsOf(printedSchema(t, "7"))
	for name, place := range places {
		var keys, needed []string
		_, err := Load(write(t, fmt.Sprintf(place, "{zzzzzzzzzzzz: 1}")+"\n"), Options{Getenv: noEnv, Parsers: drivers.Parsers})
		var e *Errors
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", name, err)
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
		slices.Sort(keys)
		slices.Sort(needed)
		if mapping := fmt.Sprint(keys, needed); !known[mapping] {
			t.Errorf("%s: Load reads %v and needs %v; the schema has no such mapping", name, keys, needed)
		}
	}
}

// mappingsOf lists the mappings in a schema, each as its keys and those that are required.
func mappingsOf(schema any) map[string]bool {
	found := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case map[string]any:
			if properties, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
				var required []string
				list, _ := v["required"].([]any)
				for _, key := range list {
					required = append(required, key.(string))
				}
				slices.Sort(required)
				found[fmt.Sprint(slices.Sorted(maps.Keys(properties)), required)] = true
			}
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(schema)
	return found
}

func TestTheSchemaHasAllKindsWithTheirInputs(t *testing.T) {
	text, err := json.Marshal(JSONSchema("2020-12"))
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
