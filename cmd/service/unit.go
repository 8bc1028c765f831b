// Package service makes evrun a service of systemd: it writes the unit of a wiring file, and has systemd enable and start it.
//
// The unit is the same whoever installs it: packages have it made by "evrun service install --print".
package service

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"evrun/cmd/cli"
	"evrun/cmd/config"
)

//go:embed unit.tmpl
var unitText string

var unitTemplate = template.Must(template.New("unit").Parse(unitText))

var (
	unitName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	accountName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@-]*$`)
)

// stopsAfter is what a stop may take beyond the grace of the wiring file: evrun gives up attempts that do not end, and closes the store.
const stopsAfter = 30 * time.Second

// Options say how a service is installed. The zero value is a service of the system.
type Options struct {
	Name    string // of the unit, without .service
	Own     bool   // a service of this user, in their own service manager
	Account string // the user that a service of the system runs as
	Program string // the path of evrun
}

// unit is what the template needs. All paths are absolute, and quoted for systemd.
type unit struct {
	Name, User, Program, Config string
	Own                         bool
	StopSeconds                 int
	ProtectHome, PrivateTmp     string
	Writable                    []string
}

// Unit returns the text of the unit for a wiring file.
func Unit(cfg *config.Config, o Options) (string, error) {
	if !unitName.MatchString(o.Name) {
		return "", cli.Usage("--name: %q can't be the name of a unit: it has letters, digits, and -_.", o.Name)
	}
	if !o.Own && !accountName.MatchString(o.Account) {
		return "", cli.Usage("--user-account: %q can't be an account: write its name, such as evrun", o.Account)
	}
	u := unit{
		Name: o.Name, User: o.Account, Own: o.Own, Program: quoted(o.Program), Config: quoted(cfg.Path),
		StopSeconds: int((cfg.Settings.Grace + stopsAfter).Seconds()), ProtectHome: "yes", PrivateTmp: "yes",
	}
	for _, path := range []string{cfg.Settings.Own(), cfg.Settings.Server.Socket} {
		dir := filepath.Dir(path)
		if !isIn(dir, "/var/lib/"+o.Name) && !isIn(dir, "/run/"+o.Name) && (len(u.Writable) == 0 || u.Writable[0] != quoted(dir)) {
			u.Writable = append(u.Writable, quoted(dir))
		}
	}
	for _, path := range append(cfg.Places(), cfg.Settings.Own(), cfg.Settings.Server.Socket, o.Program) {
		if isIn(path, "/home") || isIn(path, "/root") || isIn(path, "/run/user") {
			u.ProtectHome = "read-only"
		}
		if isIn(path, "/tmp") || isIn(path, "/var/tmp") {
			u.PrivateTmp = "no" // it would not see them
		}
	}
	var b strings.Builder
	if err := unitTemplate.Execute(&b, u); err != nil {
		return "", fmt.Errorf("unit: %w", err)
	}
	return b.String(), nil
}

// isIn reports whether a path is a directory, or in it.
func isIn(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// quoted writes a path as systemd reads it: % and $ are its own.
func quoted(path string) string {
	escaped := strings.NewReplacer("%", "%%", "$", "$$").Replace(path)
	if strings.ContainsAny(escaped, " \t\"'\\;") {
		return strconv.Quote(escaped)
	}
	return escaped
}
