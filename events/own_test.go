package events

import "testing"

// The reference lists them, with their data.
func TestEvrunsOwnTypesAreDescribed(t *testing.T) {
	for _, own := range OwnTypes() {
		if !Reserved(own.Type) || !Own(own.Type) || CheckType(own.Type) != nil || own.Doc == "" || len(own.Data) == 0 {
			t.Errorf("%q", own.Type)
		}
	}
}

func TestPatternsThatNoEventCanMatchAreHopeless(t *testing.T) {
	for pattern, want := range map[string]bool{
		"evrun.run.dead": false, "evrun.>": false, "evrun.*.dead": false, "evrun.config.*": false, "evrun.config.>": false, ">": false, "*.run.ded": false,
		"evrun": false, "evrunner.x": false, "evrun.run.ded": true, "evrun.*": false, "evrun.*.*.*": false, "evrun.*.*.*.*": true, "evrun.audit.>": false, "evrun.audit.runs.>": true, "evrun.runs.>": true, "evrun.run.dead.>": true,
	} {
		if MustPattern(pattern).Hopeless() != want {
			t.Errorf("Hopeless(%q) = %v", pattern, !want)
		}
	}
}
