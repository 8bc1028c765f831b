package config

import (
	"fmt"
	"slices"
	"strings"

	"evrun/tasks/handlers"
)

// HintUnknown implements [fields.Guide].
func (*handlerKeys) HintUnknown(name string, given map[string]any) string {
	return asInput(name, given)
}

// HintUnknown implements [fields.Guide].
func (*jobKeys) HintUnknown(name string, given map[string]any) string { return asInput(name, given) }

// asInput is the hint to a key that is an input of the entry's kind, and stands beside with in place of below it; empty for others.
func asInput(name string, given map[string]any) string {
	do, _ := given["do"].(string)
	word, _, _ := strings.Cut(do, " ")
	kind, ok := handlers.Lookup(word)
	if name == "command" && word != "exec" {
		return "write do: exec, and with: {command: […]}"
	}
	if !ok || !slices.ContainsFunc(kind.Inputs, named(name)) {
		return ""
	}
	if with, written := given["with"]; written && with == nil {
		return "indent it below with:"
	}
	return fmt.Sprintf("it is an input of %s: it belongs below with:, as in with: {%s: …}", kind.Name, name)
}
