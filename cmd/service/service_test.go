package service_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"evrun/cmd/config"
	"evrun/cmd/service"
)

func settings(path, store, socket string) *config.Config {
	cfg := &config.Config{Path: path}
	cfg.Settings.Store.Path, cfg.Settings.Server.Socket, cfg.Settings.Grace = store, socket, 45*time.Second
	return cfg
}

var packaged = settings("/etc/evrun/evrun.yaml", "/var/lib/evrun/evrun.db", "/run/evrun/evrun.sock")

// TestSystemdAcceptsTheUnit, and finds little that it is exposed to: what is left are the network, cgroups of its own, and compiling at run time,
// which commands need.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip(err)
	}
	program := filepath.Join(t.TempDir(), "evrun")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		cfg  *config.Config
		own  bool
	}{
		{"packaged", packaged, false},
		{"beside a wiring file", settings("/srv/my jobs/100%.yaml", "/srv/my jobs/evrun.db", "/srv/my jobs/evrun.sock"), false},
		{"own", settings("/home/ada/evrun.yaml", "/home/ada/evrun.db", "/home/ada/evrun.sock"), true},
	} {
		t.Run(x.name, func(t *testing.T) {
			text, err := service.Unit(x.cfg, service.Options{Name: "evrun", Account: "daemon", Program: program, Own: x.own})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "evrun.service")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			scope := "--system"
			if x.own {
				scope = "--user"
				t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
			}
			if out, err := exec.Command(analyze, scope, "verify", file).CombinedOutput(); err != nil || strings.Contains(string(out), "evrun.service") {
				t.Errorf("%v: %s\n%s", err, out, text)
			}
			if x.own {
				return
			}
			out, err := exec.Command(analyze, "security", "--no-pager", "--offline=true", "--threshold=30", file).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Log(regexp.MustCompile(`(?m)^.*Overall exposure.*$`).FindString(string(out)))
		})
	}
}

// TestTheUnitFollowsTheFile: the time of a stop, what may be written, and paths that systemd would read otherwise.
func TestTheUnitFollowsTheFile(t *testing.T) {
	text, err := service.Unit(settings("/home/ada/a $HOME%h.yaml", "/srv/x/evrun.db", "/run/evrun/evrun.sock"), service.Options{Name: "evrun", Account: "ada", Program: "/usr/bin/evrun"})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`ExecStart=/usr/bin/evrun serve -c "/home/ada/a $$HOME%%h.yaml"`, "TimeoutStopSec=75", "User=ada", "ReadWritePaths=/srv/x", "ProtectHome=read-only",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	text, err = service.Unit(settings("/tmp/try/evrun.yaml", "/tmp/try/evrun.db", "/tmp/try/evrun.sock"), service.Options{Name: "evrun", Account: "ada", Program: "/usr/bin/evrun"})
	if err != nil || !strings.Contains(text, "\nPrivateTmp=no\n") { // the service must see its own file
		t.Errorf("%v\n%s", err, text)
	}
	text, err = service.Unit(packaged, service.Options{Name: "evrun", Account: "evrun", Program: "/usr/bin/evrun"})
	if err != nil || strings.Contains(text, "\nReadWritePaths") || !strings.Contains(text, "\nProtectHome=yes\n") || !strings.Contains(text, "\nPrivateTmp=yes\n") {
		t.Errorf("%v\n%s", err, text)
	}
}

// host is a machine on which systemd does what it is asked to.
func host(t *testing.T, asked *[]string, fails string) service.Host {
	t.Helper()
	h := service.Host{Root: t.TempDir(), Run: func(_ context.Context, name string, args ...string) error {
		*asked = append(*asked, name+" "+strings.Join(args, " "))
		if fails != "" && strings.Contains(strings.Join(args, " "), fails) {
			return errors.New("it failed")
		}
		return nil
	}}
	if err := os.MkdirAll(filepath.Join(h.Root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestAServiceComesAndGoes: it is written, started, replaced, and removed without a trace.
func TestAServiceComesAndGoes(t *testing.T) {
	var asked []string
	h := host(t, &asked, "")
	o := service.Options{Name: "evrun", Account: "root", Program: "/usr/bin/evrun"}
	for range 2 {
		done, err := h.Install(t.Context(), packaged, o, true)
		if err != nil || !done.Started || done.Path != "/etc/systemd/system/evrun.service" {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	if info, err := os.Stat(h.Root + "/etc/systemd/system/evrun.service"); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := h.Uninstall(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(h.Root + "/etc/systemd/system"); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	install := []string{"systemctl daemon-reload", "systemctl enable evrun.service", "systemctl restart evrun.service"}
	want := slices.Concat(install, install, []string{"systemctl disable --now evrun.service", "systemctl daemon-reload"})
	if !slices.Equal(asked, want) {
		t.Errorf("%q", asked)
	}
	if _, err := h.Uninstall(t.Context(), o); err == nil || !strings.Contains(err.Error(), "there is no unit") {
		t.Error(err)
	}
}

// TestAnAccountIsMade where it does not exist.
func TestAnAccountIsMade(t *testing.T) {
	var asked []string
	account := "evrun-" + strconv.Itoa(os.Getpid())
	done, err := host(t, &asked, "").Install(t.Context(), packaged, service.Options{Name: "evrun", Account: account}, false)
	if err != nil || done.Started {
		t.Fatalf("%+v, %v", done, err)
	}
	if want := "systemd-sysusers --inline u " + account + ` - "evrun" /var/lib/evrun`; asked[0] != want || len(asked) != 2 {
		t.Errorf("%q", asked)
	}
}

// TestAnotherUnitIsLeftAlone, when a service is installed and when it is removed.
func TestAnotherUnitIsLeftAlone(t *testing.T) {
	var asked []string
	h := host(t, &asked, "")
	file := h.Root + "/etc/systemd/system/evrun.service"
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("[Unit]\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	o := service.Options{Name: "evrun", Account: "root"}
	_, err := h.Install(t.Context(), packaged, o, true)
	_, err2 := h.Uninstall(t.Context(), o)
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "was not written by evrun") {
			t.Error(err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("%q", asked)
	}
}

func TestAServiceThatDoesNotStartSaysWhereToLook(t *testing.T) {
	var asked []string
	_, err := host(t, &asked, "restart").Install(t.Context(), packaged, service.Options{Name: "evrun", Account: "root"}, true)
	if err == nil || !strings.Contains(err.Error(), "journalctl -u evrun -e") {
		t.Error(err)
	}
	var none *service.NotRunningError
	if _, err := (service.Host{Root: t.TempDir()}).Install(t.Context(), packaged, service.Options{Name: "evrun", Account: "root"}, true); !errors.As(err, &none) {
		t.Error(err)
	}
}
