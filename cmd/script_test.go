package cmd_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"evrun/cmd"
)

// TestMain makes this test binary the evrun that the scripts run, and the daemon of the proofs.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"evrun": func() {
			profiled(func() int { return cmd.Main(exampleFile(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr) })
		},
		"tty":         runTTY,
		proofName:     serveProof,
		readerName:    readStore,
		listenersName: serveListeners,
	})
}

// TestScripts runs the real commands, one file a topic. A script's directory has the example as evrun.yaml, but with a slot in
// every 100 ms, and `ready` waits for the daemon.
func TestScripts(t *testing.T) {
	t.Parallel()
	heedHangUps()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			return os.WriteFile(filepath.Join(e.WorkDir, "example.yaml"), exampleFile(), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "eventually": eventually, "exits": exits, "capture": capture, "expand": expand, "longago": longAgo,
		},
	})
}

// exampleFile is config.example.yaml, wherever the process runs.
func exampleFile() []byte {
	_, self, _, _ := runtime.Caller(0)
	example, err := os.ReadFile(filepath.Join(filepath.Dir(self), "..", "config.example.yaml"))
	if err != nil {
		panic(err)
	}
	return example
}
