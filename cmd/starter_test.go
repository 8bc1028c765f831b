package cmd_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/starter"
)

// Every example that init writes is valid, its tests pass, and the commands that its comments name do what they say, beside its own daemon.
func TestTheExamplesOfInitDoWhatTheySay(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || r.Header.Get("Idempotency-Key") == "" {
			http.Error(w, "not the request of the example", http.StatusBadRequest)
		}
	}))
	t.Cleanup(shop.Close)
	for _, name := range starter.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "evrun.yaml")
			evrun(t, dir, "init", "--example", name).wait(t)
			for _, args := range [][]string{{"validate", "--strict"}, {"test"}} {
				if code, stdout, stderr := ended(t, dir, nil, args...); code != 0 {
					t.Fatalf("evrun %s: exit code %d\n%s%s", args[0], code, stdout, stderr)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if name == "full" || name == "demo" { // they name no other commands
				return
			}
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "http://127.0.0.1:8080", shop.URL)), 0o600); err != nil {
				t.Fatal(err)
			}
			d := serve(t, dir, nil)
			d.ready(t)
			tried := 0
			for line := range strings.Lines(string(text)) {
				command, said := strings.CutPrefix(strings.TrimSpace(line), "#   ")
				if _, err := exec.LookPath("curl"); !said || strings.HasPrefix(command, "curl") && err != nil {
					continue
				}
				tried++
				command = strings.NewReplacer("evrun ", self(t, dir, "evrun")+" ", "curl ", "curl --fail --silent --show-error ").Replace(command)
				c := exec.Command("sh", "-c", command)
				c.Dir = dir
				if out, err := c.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", command, err, out)
				}
			}
			if tried < 3 {
				t.Errorf("its comments name %d commands", tried)
			}
			if code, stdout, _ := ended(t, dir, nil, "runs", "list", "--state", "dead,retrying", "-q", "-o", "json"); code != 0 || stdout != "" {
				t.Errorf("exit code %d, and these runs failed:\n%s", code, stdout)
			}
			d.stop(t)
		})
	}
}
