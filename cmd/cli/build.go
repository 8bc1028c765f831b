package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// A release sets these: go build -ldflags "-X evrun/cmd/cli.version=1.2.0 -X evrun/cmd/cli.commit=HASH -X evrun/cmd/cli.date=2026-11-27T03:50:00Z".
// Without them, what the go command noted in the binary counts.
var version, commit, date string

// Build is what an evrun was built from. Empty fields are not known: `go run` notes no commit.
type Build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`     // of the commit, RFC 3339 in UTC
	Modified bool   `json:"modified,omitempty"` // the source had changes that are not in the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// ThisBuild is what this evrun was built from.
func ThisBuild() Build {
	b := Build{Version: version, Commit: commit, Date: date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		b.Version = cmp.Or(b.Version, "unknown")
		return b
	}
	noted := map[string]string{}
	for _, s := range info.Settings {
		noted[s.Key] = s.Value
	}
	if b.Commit == "" {
		b.Commit, b.Date, b.Modified = noted["vcs.revision"], noted["vcs.time"], noted["vcs.modified"] == "true"
	}
	if v := info.Main.Version; v != "(devel)" {
		b.Version = cmp.Or(b.Version, strings.TrimPrefix(v, "v")) // as releases name it
	}
	b.Version = cmp.Or(b.Version, shortened(b.Commit), "devel")
	return b
}

// Version is the version of this evrun, or the commit it was built from.
func Version() string { return ThisBuild().Version }

func shortened(commit string) string { return commit[:min(12, len(commit))] }

// PrintVersion prints what this evrun was built from.
func (e *Env) PrintVersion() error {
	b := ThisBuild()
	if e.JSON() {
		return e.PrintJSON(b)
	}
	var from []string
	if b.Commit != "" {
		changed := ""
		if b.Modified {
			changed = " with changes"
		}
		from = append(from, "commit "+shortened(b.Commit)+changed)
	}
	if b.Date != "" {
		from = append(from, b.Date)
	}
	_, err := fmt.Fprintf(e.Out, "evrun %s (%s)\n", b.Version, strings.Join(append(from, b.Go, b.Platform), ", "))
	return err
}
