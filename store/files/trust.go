package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Trusted checks a file that decides what is run, the directory that its path names, and, where that is a link, the directory that
// it leads to. With commands it decides what root would run, if root runs evrun; without, only where a client looks.
// The note says what was wrong where [Variable] had it pass.
func Trusted(path string, commands bool) (note string, err error) {
	real, err := Resolve(path)
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	places := []string{real, filepath.Dir(abs)}
	if dir := filepath.Dir(real); dir != places[1] {
		places = append(places, dir)
	}
	for _, place := range places {
		if note, err = trusted(place, commands); note != "" || err != nil {
			return note, err
		}
	}
	return "", nil
}

// TrustedFind checks a file that was found by a pattern, and not named, after [Trusted]: in a directory that every user can write, which is sticky then,
// it must be root's or that of the user that runs evrun. The note is as in Trusted.
func TrustedFind(path string) (note string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := os.Stat(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	if dir.Mode().Perm()&0o002 == 0 || readOnly(abs) {
		return "", nil
	}
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} { // who has made the link decides, too
		info, err := look(abs)
		if err != nil {
			return "", err
		}
		o, known := ownerOf(info)
		if !known || o.uid == 0 || o.uid == os.Geteuid() {
			continue
		}
		msg := fmt.Sprintf("the file belongs to another user (uid %d), in a directory that every user can write", o.uid)
		if overridden() {
			return fmt.Sprintf("%s: %s; it is used because of %s=1", path, msg, Variable), nil
		}
		return "", &Error{abs, msg, "include files of a directory that only you can write, or name this one; " + Variable + "=1 turns this check off"}
	}
	return "", nil
}

// TrustedDir checks the directory of a store, by the same rule.
func TrustedDir(dir string) (note string, err error) { return trusted(dir, true) }

func trusted(path string, commands bool) (note string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	msg, hint := writable(path, info, commands && os.Geteuid() == 0)
	switch {
	case msg == "", readOnly(path):
		return "", nil
	case overridden():
		return fmt.Sprintf("%s: %s; it is used because of %s=1", path, msg, Variable), nil
	}
	return "", &Error{path, msg, hint + "; " + Variable + "=1 turns this check off"}
}

// writable says who else can change a file or a directory, and what to do about it; empty: nobody. In a sticky directory nobody
// can replace what belongs to another user.
func writable(path string, info fs.FileInfo, root bool) (msg, hint string) {
	o, known := ownerOf(info)
	if !known {
		return "", ""
	}
	what, sticky := "file", false
	if info.IsDir() {
		what, sticky = "directory", info.Mode()&fs.ModeSticky != 0
	}
	mode := info.Mode().Perm()
	switch {
	case root && o.uid != 0:
		return fmt.Sprintf("the %s belongs to another user (uid %d), who would run commands as root", what, o.uid),
			"run evrun as that user, or give it to root: chown root " + path
	case mode&0o002 != 0 && !sticky:
		return fmt.Sprintf("the %s can be written by every user (mode %#o)", what, mode), "chmod o-w " + path
	case root && mode&0o020 != 0 && o.gid != 0 && !sticky:
		return fmt.Sprintf("the %s can be written by its group (gid %d, mode %#o), which would run commands as root", what, o.gid, mode),
			"chmod g-w " + path
	}
	return "", ""
}
