// Package browser shows a URL in the browser of the desktop, where there is one. No goroutines.
package browser

import (
	"os"
	"os/exec"
	"runtime"
)

// Open has the desktop show a URL. It reports false where there is no desktop that this process belongs to, or nothing that opens URLs. It does not wait for
// the browser.
func Open(url string) bool { return open(command(runtime.GOOS, os.Getenv), url) }

// command is the program that opens URLs, with its arguments; nil: there is no desktop.
func command(system string, env func(string) string) []string {
	switch {
	case env("SSH_CONNECTION") != "" && env("DISPLAY") == "": // the desktop is elsewhere
		return nil
	case system == "darwin":
		return []string{"open"}
	case system == "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	case env("DISPLAY") == "" && env("WAYLAND_DISPLAY") == "":
		return nil
	}
	return []string{"xdg-open"}
}

func open(command []string, url string) bool {
	if command == nil {
		return false
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return false
	}
	c := exec.Command(path, append(command[1:], url)...) // it must outlive this process
	if err := c.Start(); err != nil {
		return false
	}
	return c.Process.Release() == nil
}
