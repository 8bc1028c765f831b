package cmd_test

import (
	"bytes"
	"strings"
	"testing"

	"evrun/cmd"
)

// Every command's help says in an example how it is used, and has no word of Cobra's own.
func TestEveryCommandsHelpHasAnExample(t *testing.T) {
	for _, name := range cmd.Commands() {
		var out bytes.Buffer
		if code := cmd.Main(nil, append(strings.Fields(name), "--help"), strings.NewReader(""), &out, &out); code != 0 {
			t.Errorf("%s --help: exit code %d", name, code)
		}
		text := out.String()
		if !strings.Contains(text, "\nExamples:\n  ") || !strings.Contains(text, "evrun "+name) {
			t.Errorf("%s --help has no example", name)
		}
		for _, word := range []string{"Aliases", "help for", "autocompletion", "stringArray"} {
			if strings.Contains(text, word) {
				t.Errorf("%s --help has %q", name, word)
			}
		}
	}
}
