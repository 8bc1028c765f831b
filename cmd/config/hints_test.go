package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/config/include"
	"evrun/cmd/drivers"
)

// TestTheHintForATypeLeadsToNoOtherFault: each of these files emits, or runs on, a type that is close to another one. No hint suggests a type that
// would be another fault.
func TestTheHintForATypeLeadsToNoOtherFault(t *testing.T) {
	const log = ", do: log, with: {message: x}"
	for name, test := range map[string]struct{ file, hint string }{
		"the emitting handler's own type": {
			"handlers:\n- {name: h, on: user.created" + log + ", emit: user.create}\n", "wire a handler"},
		"the emitting handler's own pattern": {
			"handlers:\n- {name: h, on: [user.created, user.*]" + log + ", emit: usr.created}\n", "wire a handler"},
		"a type that leads back to it": {
			"handlers:\n- {name: h, on: a" + log + ", emit: order.payed}\n- {name: i, on: order.paid, do: emit, with: {type: b}}\n- {name: j, on: b" + log + ", emit: a}\n", "wire a handler"},
		"a type that leads back by way of a dead run": {
			"handlers:\n- {name: h, on: a" + log + ", emit: order.payed}\n- {name: i, on: order.paid" + log + ", on_dead: a}\n", "wire a handler"},
		"the next best, which doesn't": {
			"handlers:\n- {name: h, on: order.paid" + log + ", emit: order.payed}\n- {name: i, on: order.pays" + log + "}\n", `did you mean "order.pays"?`},
		"a type that it emits already": {
			"handlers:\n- {name: h, on: a" + log + ", emit: [order.paid, order.payed]}\n- {name: i, on: order.paid" + log + "}\n", "wire a handler"},
		"a type of evrun's own": {
			"handlers:\n- {name: h, on: a" + log + ", emit: evrum.run.dead}\n- {name: i, on: evrun.run.dead" + log + "}\n", "wire a handler"},
		"a type whose schema the data doesn't fit": {
			"events: {user.registered: {schema: {required: [email]}}}\nschedules: [{name: s, every: 5s, emit: user.registred, data: {name: x}}]\nhandlers:\n- {name: h, on: user.registered" + log + "}\n", "wire a handler"},
		"a type whose schema needs data": {
			"events: {user.registered: {schema: {type: object}}}\nschedules: [{name: s, every: 5s, emit: user.registred}]\nhandlers:\n- {name: h, on: user.registered" + log + "}\n", "wire a handler"},
		"a type whose schema the data fits": {
			"events: {user.registered: {schema: {required: [email]}}}\nschedules: [{name: s, every: 5s, emit: user.registred, data: {email: x}}]\nhandlers:\n- {name: h, on: user.registered" + log + "}\n", `did you mean "user.registered"?`},
		"a type that is declared already": {
			"events: {order.paid: , order.payed: }\nhandlers:\n- {name: h, on: order.paid" + log + "}\n", "wire a handler"},
		"a type that isn't declared, where all must be": {
			"strict_types: true\nevents: {order.payed: }\nschedules: [{name: s, every: 5s, emit: order.payed}]\nhandlers:\n- {name: h, on: [order.paid, order.*.x]" + log + ", emit: 'order.${ data.x }'}\n", "wire a handler"},
		"a pattern's type that is in the list": {
			"events: {order.paid: }\nhandlers:\n- {name: h, on: [order.paid, order.payed]" + log + "}\n", "declare the type"},
		"a pattern's type that the handler emits": {
			"events: {z: }\nhandlers:\n- {name: h, on: order.payed" + log + ", emit: order.paid}\n- {name: i, on: [order.paid, z]" + log + "}\n", "declare the type"},
		"a misspelt first token of evrun's own": {
			"events: {z: }\nhandlers:\n- {name: h, on: evrum.run.dead" + log + "}\n- {name: i, on: z" + log + "}\n", `did you mean "evrun.run.dead"?`},
	} {
		t.Run(name, func(t *testing.T) {
			warnings := load(t, test.file).Warnings
			if len(warnings) != 1 || !strings.HasPrefix(warnings[0].Hint, test.hint) {
				t.Fatalf("want one with the hint %q: %+v", test.hint, warnings)
			}
			if proposed := proposal.FindStringSubmatch(warnings[0].Hint); proposed != nil {
				if more := load(t, followed(test.file, &warnings[0], proposed[1])).Warnings; len(more) > 0 {
					t.Errorf("then: %+v", more)
				}
			}
		})
	}
}

func TestAStrictFilesHintIsNotTheHandlersOwnType(t *testing.T) {
	_, err := Load(write(t, "strict_types: true\nevents: {user.created: }\nhandlers:\n- {name: h, on: user.*, do: log, with: {message: x}, emit: user.create}\n"), Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if list := faults(t, err); len(list) != 1 || list[0].Hint != "declare it under events" {
		t.Errorf("%+v", list)
	}
}

var proposal = regexp.MustCompile(`did you mean "([^"]*)"\?`)

// followed is a file with the word at a fault's place replaced, which may be the whole of a dotted word.
func followed(text string, f *Fault, word string) string {
	start, end := f.Offset, f.Offset+f.Width
	for start > 0 && strings.Contains("._-", text[start-1:start]) || start > 0 && isWord(text[start-1]) {
		start--
	}
	for end < len(text) && (strings.Contains("._-", text[end:end+1]) || isWord(text[end])) {
		end++
	}
	return text[:start] + word + text[end:]
}

// otherFaultsComeIntoView are files in which the hint is right but its fault hides another one (inputs of an unknown kind, a zone beside a timing
// without one), or the faulty word is in another file or only a part of the underlined text.
var otherFaultsComeIntoView = []string{"handler-do-unknown", "mixed-ten-places", "tests-of-a-wrong-handler", "schedule-unknown", "schema-file", "yaml-unclosed-bracket", "notify-url"}

// faultsOf returns the faults of a wiring file at path that has another text.
func faultsOf(path, text string) []Fault {
	_, err := check(path, path, include.File{Text: []byte(text)}, Options{Getenv: noEnv, Parsers: drivers.Parsers}, true, new(include.Inputs))
	if e, ok := errors.AsType[*Errors](err); ok {
		return e.Faults
	}
	return nil
}

// TestWhoFollowsAHintMeetsNoFaultThere applies the hints in testdata/bad, one after the other: each fault disappears, and its line has no new one.
func TestWhoFollowsAHintMeetsNoFaultThere(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		if slices.ContainsFunc(otherFaultsComeIntoView, func(pattern string) bool { m, _ := filepath.Match(pattern, name); return m }) {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers})
		var e *Errors
		if !errors.As(err, &e) || len(e.Faults) >= maxFaults {
			continue
		}
		for i, f := range e.Faults {
			proposed := proposal.FindStringSubmatch(f.Hint)
			if proposed == nil || f.File != path {
				continue
			}
			tried++
			better := false
			var then []Fault
			for _, text := range []string{string(src[:f.Offset]) + proposed[1] + string(src[f.Offset+f.Width:]), followed(string(src), &e.Faults[i], proposed[1])} {
				then = faultsOf(path, text)
				better = better || !slices.ContainsFunc(then, func(g Fault) bool {
					return g.Line == f.Line && g.Offset >= f.Offset && g.Offset <= f.Offset+len(proposed[1])
				})
			}
			if !better {
				t.Errorf("%s: %s\nthen %v", path, f.String(), &Errors{Faults: then})
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d hints were followed", tried)
	}
}
