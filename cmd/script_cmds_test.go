package cmd_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
)

// patience is the timeout of waits in scripts. A busy machine can need seconds for things that usually take no time.
const patience = 3 * time.Minute

// ready waits until a daemon answers on evrun.sock; ! ready until none does.
func ready(ts *testscript.TestScript, neg bool, _ []string) {
	c := client.New(ts.MkAbs("evrun.sock"))
	deadline := time.Now().Add(patience)
	for {
		err := c.Ping(context.Background())
		if !neg && err == nil || neg && errors.Is(err, api.ErrNoDaemon) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the daemon: %v", err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// eventually PATTERN COMMAND... runs a command until its output matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN COMMAND...")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	deadline := time.Now().Add(patience)
	for {
		_ = ts.Exec(args[1], args[2:]...) // only its output counts
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q never came", args[0])
		}
		<-time.After(20 * time.Millisecond)
	}
}

// exits CODE COMMAND... runs a command and checks its exit code; stdout and stderr look at its output.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ee *exec.ExitError
		if !errors.As(err, &ee) {
			ts.Fatalf("%v", err)
		}
		got = ee.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// capture NAME PATTERN sets an environment variable to the text that the pattern's group matches in the last command's output.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("no match for %q", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// expand FILE puts environment variables into a file of the script's.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// longago STORE HANDLER lets two hours pass since a handler left, in a store that no process has open.
func longAgo(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	changed, err := db.Exec(`UPDATE handlers SET left_at = left_at - 2 * 3600 * 1000000 WHERE name = ? AND left_at > 0`, args[1])
	ts.Check(err)
	if n, _ := changed.RowsAffected(); n != 1 {
		ts.Fatalf("handler %s has not left", args[1])
	}
}
