package cli

import (
	"bytes"
	"regexp"
	"testing"
)

// What a release's linker sets counts; what the go command noted fills in the rest.
func TestTheVersionOfARelease(t *testing.T) {
	version, commit, date = "1.2.0", "0123456789abcdef0123456789abcdef01234567", "2026-11-27T03:50:00Z"
	defer func() { version, commit, date = "", "", "" }()
	var out bytes.Buffer
	e := &Env{Out: &out, Output: "text"}
	if err := e.PrintVersion(); err != nil {
		t.Fatal(err)
	}
	e.Output = "json"
	if err := e.PrintVersion(); err != nil {
		t.Fatal(err)
	}
	want := `^evrun 1\.2\.0 \(commit 0123456789ab, 2026-11-27T03:50:00Z, go\S+, \w+/\w+\)
\{"version":"1\.2\.0","commit":"0123456789abcdef0123456789abcdef01234567","date":"2026-11-27T03:50:00Z","go":"go\S+","platform":"\w+/\w+"\}
$`
	if !regexp.MustCompile(want).Match(out.Bytes()) {
		t.Errorf("it prints\n%s", &out)
	}
}
