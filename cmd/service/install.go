package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"evrun/cmd/config"
	"evrun/store/files"
)

// mark begins the units that this package wrote.
const mark = "# Written by \"evrun service install\""

// Host is the machine that a service is installed on. The zero value is this one.
type Host struct {
	Root string                                                    // before every path; for tests
	Run  func(ctx context.Context, name string, a ...string) error // runs a program; default: really
}

// NotRunningError: systemd does not run here.
type NotRunningError struct{ Own bool }

func (e *NotRunningError) Error() string {
	if e.Own {
		return "your systemd (systemd --user) does not run here"
	}
	return "systemd does not run here"
}

// Installed is what an installation did.
type Installed struct {
	Unit    string `json:"unit"`
	Path    string `json:"path"`
	Started bool   `json:"started"`
}

// Install writes the unit of a wiring file, and has systemd read it. With start it is enabled and started, or restarted. The account of a service of
// the system is made if it does not exist.
func (h Host) Install(ctx context.Context, cfg *config.Config, o Options, start bool) (*Installed, error) {
	text, err := Unit(cfg, o)
	if err != nil {
		return nil, err
	}
	path, err := h.path(o)
	if err != nil {
		return nil, err
	}
	done := &Installed{Unit: o.Name + ".service", Path: path}
	if err := h.ours(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !o.Own {
		if err := h.account(ctx, o); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(h.Root+filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := files.Replace(h.Root+path, []byte(text)); err != nil {
		return nil, err
	}
	if err := h.systemctl(ctx, o, "daemon-reload"); err != nil {
		return nil, err
	}
	if !start {
		return done, nil
	}
	if err := h.systemctl(ctx, o, "enable", done.Unit); err != nil {
		return nil, err
	}
	if err := h.systemctl(ctx, o, "restart", done.Unit); err != nil { // an older unit may run
		return nil, fmt.Errorf("%w; \"journalctl %s-u %s -e\" says why", err, scope(o), o.Name)
	}
	done.Started = true
	return done, nil
}

// Uninstall stops a service and removes its unit. The wiring file, the store and the account stay.
func (h Host) Uninstall(ctx context.Context, o Options) (path string, err error) {
	if path, err = h.path(o); err != nil {
		return "", err
	}
	if err := h.ours(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("there is no unit %s", path)
		}
		return "", err
	}
	if err := h.systemctl(ctx, o, "disable", "--now", o.Name+".service"); err != nil {
		return "", err
	}
	if err := os.Remove(h.Root + path); err != nil {
		return "", err
	}
	return path, h.systemctl(ctx, o, "daemon-reload")
}

// path returns where the unit is, or why it can't be written.
func (h Host) path(o Options) (string, error) {
	running := "/run/systemd/system"
	dir := "/etc/systemd/system"
	if o.Own {
		running = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "systemd/private")
		home, err := os.UserConfigDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, "systemd/user")
	}
	if _, err := os.Stat(h.Root + running); err != nil {
		return "", &NotRunningError{o.Own}
	}
	return filepath.Join(dir, o.Name+".service"), nil
}

// ours refuses a unit that somebody else wrote.
func (h Host) ours(path string) error {
	text, err := os.ReadFile(h.Root + path)
	if err == nil && !strings.HasPrefix(string(text), mark) {
		err = fmt.Errorf("%s was not written by evrun; move it away, or choose another --name", path)
	}
	return err
}

// account makes the account of a service.
func (h Host) account(ctx context.Context, o Options) error {
	if _, err := user.Lookup(o.Account); err == nil {
		return nil
	}
	return h.run(ctx, "systemd-sysusers", "--inline", fmt.Sprintf("u %s - \"evrun\" /var/lib/%s", o.Account, o.Name))
}

func scope(o Options) string {
	if o.Own {
		return "--user "
	}
	return ""
}

func (h Host) systemctl(ctx context.Context, o Options, args ...string) error {
	if o.Own {
		args = append([]string{"--user"}, args...)
	}
	return h.run(ctx, "systemctl", args...)
}

func (h Host) run(ctx context.Context, name string, args ...string) error {
	if h.Run != nil {
		return h.Run(ctx, name, args...)
	}
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
