package events

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestTheReadmeListsEvrunsOwnTypes(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, own := range OwnTypes() {
		fmt.Fprintf(&want, "| `%s` | %s |\n", own.Type, own.Doc)
		if !Reserved(own.Type) || !Own(own.Type) || CheckType(own.Type) != nil {
			t.Errorf("%q", own.Type)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `evrun\\..*\n").FindAllString(string(text), -1)
	if got := strings.Join(rows, ""); got != want.String() {
		t.Errorf("README.md has\n%swant\n%s", got, want.String())
	}
}

func TestPatternsThatNoEventCanMatchAreHopeless(t *testing.T) {
	for pattern, want := range map[string]bool{
		"evrun.run.dead": false, "evrun.>": false, "evrun.*.dead": false, "evrun.config.*": false, "evrun.config.>": false, ">": false, "*.run.ded": false,
		"evrun": false, "evrunner.x": false, "evrun.run.ded": true, "evrun.*": true, "evrun.*.*.*": false, "evrun.*.*.*.*": true, "evrun.audit.>": false, "evrun.audit.runs.>": true, "evrun.runs.>": true, "evrun.run.dead.>": true,
	} {
		if MustPattern(pattern).Hopeless() != want {
			t.Errorf("Hopeless(%q) = %v", pattern, !want)
		}
	}
}
