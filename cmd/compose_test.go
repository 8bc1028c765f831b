package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"evrun/cmd"
	"evrun/cmd/config"
	"evrun/cmd/drivers"
)

// The compose file has three daemons with one wiring, which is valid, on one database; each has its own name, port and volume.
func TestCompose(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", ".github", "compose.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Services map[string]struct {
			Build       struct{ Context, Dockerfile string }
			Environment map[string]string
			Ports       []string
			Volumes     []string
			Configs     []struct{ Source, Target string }
			Healthcheck struct{ Test []string }
		}
		Volumes map[string]any
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) != 4 || len(c.Volumes) != 4 || !strings.HasPrefix(c.Services["postgres"].Volumes[0], "postgres:") {
		t.Errorf("%d services, %d volumes", len(c.Services), len(c.Volumes))
	}
	content := c.Configs["wiring"].Content
	if single := regexp.MustCompile(`[^$]\$[^$]`).FindString(content); single != "" {
		t.Errorf("docker compose would replace %q in the wiring", single)
	}
	path := filepath.Join(t.TempDir(), "evrun.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(content, "$$", "$")), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for name, s := range c.Services {
		if name == "postgres" {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", ".github", s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, own := range []string{s.Environment["EVRUN_NODE_NAME"], s.Ports[0], s.Volumes[0]} {
			if seen[own] != "" || own == "" {
				t.Errorf("%s and %s have %q", name, seen[own], own)
			}
			seen[own] = name
		}
		if err := cmd.Understands(s.Healthcheck.Test[2:]); err != nil || s.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s: its health check: %v", name, err)
		}
		if s.Configs[0].Target != s.Environment["EVRUN_CONFIG"] {
			t.Errorf("%s: the wiring is at %s, and %s is read", name, s.Configs[0].Target, s.Environment["EVRUN_CONFIG"])
		}
		cfg, err := config.Load(path, config.Options{Parsers: drivers.Parsers, Getenv: func(key string) string { return s.Environment[key] }})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, w := range cfg.Warnings {
			t.Errorf("%s: a warning: %s", name, w.String())
		}
		if !cfg.Settings.Store.Shared() || cfg.Settings.Node.Name != name || cfg.Settings.Server.Listen != ":7770" {
			t.Errorf("%s: %+v", name, cfg.Settings)
		}
	}
	if err := exec.Command("docker", "compose", "version").Run(); err != nil {
		t.Logf("docker compose does not run here, so the file was not given to it: %v", err)
		return
	}
	check := exec.Command("docker", "compose", "-f", file, "config", "--quiet")
	check.Env = append(os.Environ(), "PGPASSWORD=x")
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v\n%s", err, out)
	}
}
