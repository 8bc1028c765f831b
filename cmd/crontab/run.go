package crontab

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"evrun/cmd/cli"
	"evrun/cmd/foreign"
	"evrun/tasks/fault"
)

// Request is what `evrun import crontab` is asked to do.
type Request struct {
	Path   string // - is standard input
	System *bool  // nil: see IsSystem
	Zone   string // empty: the machine's
	To     string // the file to write; empty: standard output
}

// Run converts a crontab, writes the wiring file, and reports what was not carried over. Then its exit code is [cli.ExitRefused].
func Run(e *cli.Env, q Request) error {
	if _, err := cli.LoadZone(q.Zone); err != nil {
		return err
	}
	text, err := foreign.Read(e, q.Path, maxText) // Convert refuses what is longer
	if err != nil {
		return err
	}
	o := Options{Source: q.Path, Zone: q.Zone, Home: home, Check: func(wiring []byte) (map[int]string, error) { return foreign.Check(e.ConfigOptions(), wiring) }}
	if q.Path == "-" {
		o.Source = ""
	}
	if me, err := user.Current(); err == nil {
		o.Me = me.Username
	}
	if q.System != nil {
		o.System = *q.System
	} else if o.System = IsSystem(q.Path, text, isUser); o.System {
		e.Note("read as a system crontab, with a user before each command; --system=false reads it as a user's")
	}
	if o.Zone == "" {
		if o.Zone = localZone(); o.Zone == "" {
			o.Zone = "UTC"
			e.Note("the machine's time zone has no name that is known: the schedules have UTC; --tz names another")
		}
	}
	r, err := Convert(text, o)
	if err != nil {
		return err
	}
	if err := foreign.Deliver(e, r.Wiring, q.To, 0o644, map[string]any{"schedules": r.Schedules, "handlers": r.Handlers}, r.Left); err != nil {
		return err
	}
	for _, l := range r.Left {
		e.Note("line %d: %s: %s", l.Line, fault.Quote(l.Text), l.Reason)
	}
	carried := fault.Plural(r.Schedules, "schedule")
	if r.Handlers > 0 {
		carried += " and " + fault.Plural(r.Handlers, "handler")
	}
	e.Note("%s carried over", carried)
	if len(r.Left) > 0 {
		return &cli.ExitError{Code: cli.ExitRefused, Err: fmt.Errorf("%s of the crontab not carried over", fault.Plural(len(r.Left), "line"))}
	}
	return nil
}

func isUser(name string) bool {
	_, err := user.Lookup(name)
	return err == nil
}

func home(of string) string {
	u, err := user.Lookup(of)
	if err != nil {
		return ""
	}
	return u.HomeDir
}

// localZone is the IANA name of the machine's time zone; empty: it is not known.
func localZone() string {
	if tz := strings.TrimPrefix(os.Getenv("TZ"), ":"); tz != "" {
		return tz
	}
	target, err := filepath.EvalSymlinks("/etc/localtime")
	if err != nil {
		return ""
	}
	if _, name, ok := strings.Cut(target, "/zoneinfo/"); ok {
		return name
	}
	return ""
}
