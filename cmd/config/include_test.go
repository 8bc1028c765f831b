package config

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/drivers"
	"evrun/tasks/expression"
)

// filesOf writes files below a new directory, and returns the path of evrun.yaml in it. A text that begins with "-> " is a symbolic link.
func filesOf(t *testing.T, texts map[string]string) (path string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		place := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(texts[name], "-> "); link {
			err = os.Symlink(target, place)
		} else {
			err = os.WriteFile(place, []byte(texts[name]), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "evrun.yaml")
}

func loadFiles(path string) (*Config, error) {
	return Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers})
}

// handlerText is a file with one handler.
func handlerText(name string) string {
	return "handlers: [{name: " + name + ", on: a, do: log, with: {message: x}}]\n"
}

// names lists the handlers of a wiring.
func names(c *Config) string {
	var list []string
	for _, h := range c.Wiring.Handlers {
		list = append(list, h.Name)
	}
	return strings.Join(list, " ")
}

func TestIncludedFilesFollowInTheOrderOfTheirEntriesAndNames(t *testing.T) {
	path := filesOf(t, map[string]string{
		"evrun.yaml":               "include: [z.yaml, conf.d/*.yaml, 'teams/*/evrun.y[a]ml', a.yml]\n" + handlerText("main"),
		"z.yaml":                   "include: [conf.d/sub/deep.yaml]\n" + handlerText("z"),
		"conf.d/20-b.yaml":         handlerText("b"),
		"conf.d/100-c.yaml":        handlerText("c"),
		"conf.d/sub/deep.yaml":     handlerText("deep"),
		"conf.d/empty.yaml":        "",
		"conf.d/off.yaml":          "# handlers: []\n",
		"conf.d/.#20-b.yaml":       "-> nobody@host.1234",
		"conf.d/.hidden.yaml":      "{",
		"conf.d/#20-b.yaml#":       "{",
		"conf.d/20-b.yaml~":        "{",
		"conf.d/20-b.yaml.bak":     "{",
		"teams/red/evrun.yaml":     "\ufeff" + handlerText("red"),
		"teams/blue/evrun.yaml":    handlerText("blue"),
		"teams/blue/other.yaml":    "{",
		"teams/none/README":        "{",
		"teams/.hidden/evrun.yaml": "{",
		"teams/file":               "{",
		"a.yml":                    handlerText("a"),
	})
	c, err := loadFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(c); got != "main z deep c b blue red a" {
		t.Errorf("handlers %s", got)
	}
	var included []string
	for _, place := range c.Included {
		rel, err := filepath.Rel(c.Dir, place)
		if err != nil {
			t.Fatal(err)
		}
		included = append(included, rel)
	}
	if got := strings.Join(included, " "); got != "z.yaml conf.d/sub/deep.yaml conf.d/100-c.yaml conf.d/20-b.yaml conf.d/empty.yaml conf.d/off.yaml teams/blue/evrun.yaml teams/red/evrun.yaml a.yml" {
		t.Errorf("included %s", got)
	}
	for _, w := range c.Warnings {
		if !strings.HasPrefix(w.Message, "no handler") {
			t.Errorf("%s", w.String())
		}
	}
}

// Of the same directory: in another one, its relative paths are those of other files.
func TestAHandlerThatMovesToAnotherFileKeepsItsVersion(t *testing.T) {
	const one, two = "- {name: a, on: x, do: exec, with: {command: [./run.sh]}, timeout: 1m}\n", "- {name: b, on: x, do: log, with: {message: x}} # here\n"
	const schedule = "- {name: s, every: 1h, emit: x}\n"
	const settings = "env: {A: b}\ndefaults: {retry: {attempts: 3}}\n"
	before, err := loadFiles(filesOf(t, map[string]string{"evrun.yaml": settings + "events: {x: {description: D}}\nschedules:\n" + schedule + "handlers:\n" + one + two}))
	if err != nil {
		t.Fatal(err)
	}
	after, err := loadFiles(filesOf(t, map[string]string{
		"evrun.yaml": settings + "include: '[0-9].yaml'\n",
		"1.yaml":     "handlers:\n" + one, "2.yaml": "events: {x: {description: D}}\nhandlers:\n" + two, "3.yaml": "schedules:\n" + schedule,
	}))
	if err != nil {
		t.Fatal(err)
	}
	below, err := loadFiles(filesOf(t, map[string]string{"evrun.yaml": settings + "include: conf.d/*\n", "conf.d/1.yaml": "handlers:\n" + one + "schedules:\n" + schedule}))
	if err != nil {
		t.Fatal(err)
	}
	if below.Wiring.Handlers[0].Version == before.Wiring.Handlers[0].Version || below.Wiring.Schedules[0].Version == before.Wiring.Schedules[0].Version {
		t.Error("./run.sh is another file in conf.d, and the version is the same")
	}
	for i, h := range before.Wiring.Handlers {
		if moved := after.Wiring.Handlers[i]; moved.Name != h.Name || moved.Version != h.Version || moved.Retry.Attempts != 3 {
			t.Errorf("%s: %s became %s", h.Name, h.Version, moved.Version)
		}
	}
	if before.Wiring.Schedules[0].Version != after.Wiring.Schedules[0].Version || before.Wiring.Events[0].Version != after.Wiring.Events[0].Version {
		t.Error("a schedule or a type has another version")
	}
}

func TestPathsAreRelativeToTheFileThatTheyAreIn(t *testing.T) {
	const schema = `{"type": "object", "required": ["%s"]}`
	const events = "events: {%s: {schema_file: schema.json}}\n"
	const handler = "handlers: [{name: %[1]s, on: a, do: http, with: {url: 'http://localhost/', headers: {X: \"${ file('secret') }\"}}, timeout: 1m}]\n"
	c, err := loadFiles(filesOf(t, map[string]string{
		"evrun.yaml":         "include: conf.d/x.yaml\n" + fmt.Sprintf(events, "a") + fmt.Sprintf(handler, "ha"),
		"schema.json":        fmt.Sprintf(schema, "main"),
		"secret":             "main-secret-1",
		"conf.d/x.yaml":      fmt.Sprintf(events, "b") + fmt.Sprintf(handler, "hb") + "schedules: [{name: s, every: 1h, emit: b, data: {included: \"${ file('secret') }\"}}]\n",
		"conf.d/schema.json": fmt.Sprintf(schema, "included"),
		"conf.d/secret":      "included-secret-1",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"main", "included"} {
		if violations, _ := c.Wiring.Events[i].Schema.Check(map[string]any{}); len(violations) != 1 || !strings.Contains(fmt.Sprint(violations), want) {
			t.Errorf("the schema of %s says %v", c.Wiring.Events[i].Type, violations)
		}
	}
	if data, err := c.Wiring.Schedules[0].Data.Eval(expression.NewSlotEnv(expression.Slot{})); err != nil || fmt.Sprint(data) != "map[included:included-secret-1]" {
		t.Errorf("%v, %v", data, err)
	}
	if text := c.Secrets.Redact("included-secret-1"); strings.Contains(text, "included") {
		t.Errorf("a secret of an included file is shown: %s", text)
	}
}

func TestLinksCanMakeNoCycle(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a link to the wiring file": {map[string]string{"evrun.yaml": "include: conf.d/*.yaml\n", "conf.d/x.yaml": "-> ../evrun.yaml"},
			"evrun.yaml:1:10: evrun.yaml would include itself: evrun.yaml → conf.d/x.yaml (keep the included files in a directory of their own: conf.d/*.yaml)"},
		"a link to a directory": {map[string]string{"evrun.yaml": "include: conf.d/*.yaml\n", "conf.d/x.yaml": "include: ['sub/*.yaml']\n", "conf.d/sub": "-> ."},
			"conf.d/x.yaml:1:11: conf.d/x.yaml would include itself: evrun.yaml → conf.d/x.yaml → conf.d/sub/x.yaml (write a pattern that does not match x.yaml)"},
		"two names of one file": {map[string]string{"evrun.yaml": "include: conf.d/*.yaml\n", "conf.d/x.yaml": handlerText("x"), "conf.d/y.yaml": "-> x.yaml"},
			"evrun.yaml:1:10: conf.d/x.yaml and conf.d/y.yaml are the same file (remove one of the two names)"},
		"a link to nothing": {map[string]string{"evrun.yaml": "include: conf.d/*.yaml\n", "conf.d/x.yaml": "-> y.yaml"},
			`evrun.yaml:1:10: "conf.d/x.yaml" can't be included: it is a symbolic link to a file that does not exist (remove the link, or create the file that it leads to)`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filesOf(t, test.files)
			_, err := loadFiles(path)
			if got := strings.ReplaceAll(fmt.Sprint(err), filepath.Dir(path)+"/", ""); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestIncludedFilesAreBounded(t *testing.T) {
	many := map[string]string{"evrun.yaml": "include: [a/*, b/*]\n"}
	deep := map[string]string{"evrun.yaml": "include: 0.yaml\n"}
	large := map[string]string{"evrun.yaml": "include: '*.yml'\n"}
	for i := range 501 {
		many[fmt.Sprintf("a/%d.yaml", i)], many[fmt.Sprintf("b/%d.yaml", i)] = "", ""
	}
	for i := range 20 {
		deep[fmt.Sprintf("%d.yaml", i)] = fmt.Sprintf("include: %d.yaml\n", i+1)
		large[fmt.Sprintf("%d.yml", i)] = strings.Repeat("# x\n", 1<<18)
	}
	crowd := map[string]string{"evrun.yaml": "include: c/*\n"}
	for i := range 1002 {
		crowd[fmt.Sprintf("c/%d.yaml", i)] = ""
	}
	for want, files := range map[string]map[string]string{
		"over 1000 files are included":                    many,
		"files are included over 10 levels deep: ":        deep,
		"the included files have over 16 MiB together":    large,
		`"c/*" can't be read: it matches over 1000 files`: crowd,
	} {
		_, err := loadFiles(filesOf(t, files))
		if list := faults(t, err); !strings.HasPrefix(list[0].Message, want) {
			t.Errorf("got  %q\nwant %q", list[0].Message, want)
		}
	}
}

func TestAnEmptyDirectoryIsNoReasonToWarn(t *testing.T) {
	for pattern, want := range map[string]string{
		"empty/*.yaml": "", "conf.d/*.yml": `no file matches "conf.d/*.yml": its directory has a.yaml`, "none/*.yaml": `no file matches "none/*.yaml": the directory does not exist`,
		"c*/none/*.yaml": "",
	} {
		path := filesOf(t, map[string]string{"evrun.yaml": "include: [" + pattern + "]\n", "conf.d/a.yaml": "", "empty/b.txt": ""})
		c, err := loadFiles(path)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, w := range c.Warnings {
			got += w.Message
		}
		if got != want {
			t.Errorf("%s: %q", pattern, got)
		}
	}
}

func TestAnIncludedFileMustBeTrusted(t *testing.T) {
	texts := map[string]string{"evrun.yaml": "include: conf.d/*\n", "conf.d/a.yaml": handlerText("a"), "conf.d/b.yaml": handlerText("b")}
	for name, mode := range map[string]fs.FileMode{"conf.d/a.yaml": 0o666, "conf.d": 0o777} {
		path := filesOf(t, texts)
		if err := os.Chmod(filepath.Join(filepath.Dir(path), name), mode); err != nil {
			t.Fatal(err)
		}
		_, err := loadFiles(path)
		if list := faults(t, err); list[0].Line != 1 || !strings.Contains(list[0].Message, "can be written by every user") {
			t.Errorf("%s: %+v", name, list)
		}
		t.Setenv("EVRUN_TRUST_FILES", "1")
		c, err := loadFiles(path)
		if err != nil || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], name+": ") {
			t.Errorf("%s: %v, %v", name, c, err)
		}
		t.Setenv("EVRUN_TRUST_FILES", "")
	}
}

// The settings are in the wiring file alone: a client does not read what it includes.
func TestClientsReadNoIncludedFile(t *testing.T) {
	path := filesOf(t, map[string]string{"evrun.yaml": "store: a.db\ninclude: [none.yaml, 5]\n"})
	c, err := LoadSettings(path, Options{Getenv: noEnv})
	if err != nil || filepath.Base(c.Settings.Store.Path) != "a.db" || len(c.Inputs.Files()) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTestsAndWarningsNameTheirFile(t *testing.T) {
	path := filesOf(t, map[string]string{
		"evrun.yaml": "include: tests/*\n" + handlerText("a"),
		"tests/a.yaml": "events: {gone: , a: }\ntests:\n- name: one\n  given:\n  - {type: a}\n  expect:\n    runs:\n    - {handler: a}\n" +
			"handlers:\n- {name: b, on: a, do: log, with: {message: x}, when: 'true'}\n",
	})
	c, err := loadFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	test := c.Wiring.Tests[0]
	got := strings.Join([]string{test.Place, test.Given[0].Place, test.Runs.Place, test.Runs.List[0].Place("handler")}, " ")
	for _, w := range c.Warnings {
		got += "\n" + w.String()
	}
	file := filepath.Join(filepath.Dir(path), "tests/a.yaml")
	want := strings.ReplaceAll(`F:3 F:5 F:8 F:8
F:1:10: warning: no handler is wired to "gone" (wire a handler to it, if something must happen then; else declare it as final: true)
F:10:55: warning: this condition is always true (leave it out, or look at event or data)`, "F", file)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The files of one directory of a ConfigMap change together, by one rename of a link: a reading has those of before or those of after.
func TestFilesThatChangeTogetherAreReadTogether(t *testing.T) {
	path := filesOf(t, map[string]string{
		"evrun.yaml": "include: conf.d/*.yaml\n", "conf.d/..data": "-> ..0", "conf.d/a.yaml": "-> ..data/a.yaml", "conf.d/b.yaml": "-> ..data/b.yaml",
		"conf.d/..0/a.yaml": handlerText("a0"), "conf.d/..0/b.yaml": handlerText("b0"),
	})
	dir := filepath.Join(filepath.Dir(path), "conf.d")
	for i := range 60 {
		version := fmt.Sprintf("..%d", i+1)
		if err := os.Mkdir(filepath.Join(dir, version), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			if err := os.WriteFile(filepath.Join(dir, version, name+".yaml"), []byte(handlerText(fmt.Sprint(name, i+1))), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(version, filepath.Join(dir, "..new")); err != nil {
			t.Fatal(err)
		}
		swapped := make(chan error)
		go func() { swapped <- os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")) }()
		c, err := loadFiles(path)
		if err := <-swapped; err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if a, b, _ := strings.Cut(names(c), " "); a[1:] != b[1:] {
			t.Fatalf("%s and %s were read together", a, b)
		}
	}
}
