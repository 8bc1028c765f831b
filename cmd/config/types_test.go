package config

import (
	"path/filepath"
	"testing"

	"evrun/cmd/drivers"
	"evrun/tasks/schema"
)

func TestGoodFilesLoad(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		if _, err := Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers}); err != nil {
			t.Error(err)
		}
	}
}

func TestDeclaredTypesHaveTheirSchemas(t *testing.T) {
	c, err := Load("testdata/good/typed.yaml", Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Wiring.StrictTypes || len(c.Wiring.Events) != 4 {
		t.Errorf("strict %v, %d types", c.Wiring.StrictTypes, len(c.Wiring.Events))
	}
	order, user := c.Wiring.Events[0], c.Wiring.Events[3]
	list, more := order.Schema.Check(map[string]any{"id": 9007199254740992, "total": 0.07, "sum": 1})
	if got := schema.Join(list, more); got != "/id: 9007199254740992 is too small: the minimum is 9007199254740993; /sum: is not allowed" {
		t.Error(got)
	}
	list, more = user.Schema.Check(map[string]any{"email": "x", "id": 9007199254740992})
	if got := schema.Join(list, more); got != `/email: "x" is not a valid email: missing @; /id: 9007199254740992 is too small: the minimum is 9007199254740993` {
		t.Error(got)
	}
}
