// Package files says which files evrun trusts, keeps its own private, and replaces files whole. It imports nothing of evrun's.
//
// evrun's own files (the store with its WAL, shared memory and lock, the notes of daemons' addresses) are private: regular,
// mode 0600, with one link, and owned by root, by the user that runs evrun or, if that is root, by the owner of their directory.
// An open mode is corrected; all else is refused with an [*Error].
// Windows has access lists in place of modes and owners. They are not read: there, the rights of the directory protect the files in it.
//
// A file that decides what is run (the wiring file, the schemas that it names) must not be writable by others, nor may the
// directories that it is in, unless they are sticky. For root it must be root's as well, and not writable by a group. A file
// on a read-only mount can't be changed here, and passes: a ConfigMap's directory has the mode 0777. The directories above
// are the administrator's business.
//
// The variable EVRUN_TRUST_FILES=1 has files used whatever their owner and mode are. The caller gets a note of each check that was left
// out.
//
//	path, err := files.Resolve("evrun.db") // first: two names of one file are one file
//	note, err := files.Private(path, true)
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Variable is the environment variable that, set to 1, turns off the checks of owners and of who can write.
const Variable = "EVRUN_TRUST_FILES"

// Error says why a file is refused.
type Error struct {
	Path string
	Msg  string // what is wrong with it
	Hint string // what to do
}

func (e *Error) Error() string { return e.Path + ": " + e.Msg }

func overridden() bool { return os.Getenv(Variable) == "1" }

// Resolve gives the absolute path of the file that a path leads to: no part of it is a symbolic link. The file itself need not
// exist, but a link to a file that does not is an error.
func Resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSymlink {
		return "", &Error{path, "it is a symbolic link to a file that does not exist", "remove the link, or create the file that it names (empty, mode 0600)"}
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// Private checks one of evrun's own files, by a resolved path. A file that does not exist passes. An open mode is corrected if mend
// is set. The note, if it isn't empty, says what was corrected or not checked.
//
// The file is not opened: to close a descriptor of a database would drop SQLite's locks on systems without those of open files.
func Private(path string, mend bool) (note string, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return private(path, info, mend, func() error { return os.Chmod(path, 0o600) })
}

// OpenPrivate opens one of evrun's own files for reading and writing, and creates it empty where it does not exist. It follows no
// symbolic link. The note is as in [Private].
func OpenPrivate(path string) (f *os.File, note string, err error) {
	f, err = OpenUnfollowed(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, errLink) {
		return nil, "", &Error{path, "it is a symbolic link, which evrun does not follow here", "remove the link"}
	}
	if err != nil {
		if info, lerr := os.Lstat(path); lerr == nil { // its kind says more than the failed open
			if _, perr := private(path, info, false, nil); perr != nil {
				return nil, "", perr
			}
		}
		return nil, "", err
	}
	info, err := f.Stat()
	if err == nil {
		note, err = private(path, info, true, func() error { return f.Chmod(0o600) })
	}
	if err != nil {
		f.Close()
		return nil, "", err
	}
	return f, note, nil
}

// regular returns an [*Error] with this hint for what is not a regular file.
func regular(path string, info fs.FileInfo, hint string) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return &Error{path, "it is " + Kind(info) + ", not a regular file", hint}
}

// private applies the rule of [Private] to a file's info.
func private(path string, info fs.FileInfo, mend bool, chmod func() error) (note string, err error) {
	if err := regular(path, info, "move it away, or name another file"); err != nil {
		return "", err
	}
	sys, known := ownerOf(info)
	if !known {
		return "", nil
	}
	if sys.links > 1 { // 0: it was removed meanwhile, which the process that opened it notices
		return "", &Error{path, fmt.Sprintf("it has %d names (hard links); under each another evrun could write to it", sys.links),
			fmt.Sprintf("remove the others; find -samefile %s lists them", path)}
	}
	if !ours(sys.uid, filepath.Dir(path)) {
		if !overridden() {
			return "", &Error{path, fmt.Sprintf("it belongs to another user (uid %d)", sys.uid),
				fmt.Sprintf("run evrun as that user, or give the file to uid %d (chown); %s=1 turns this check off", os.Geteuid(), Variable)}
		}
		note = fmt.Sprintf("%s belongs to another user (uid %d), and is used because of %s=1", path, sys.uid, Variable)
	}
	mode := info.Mode().Perm()
	if !mend || mode&^0o600 == 0 || os.Geteuid() != 0 && sys.uid != os.Geteuid() {
		return note, nil
	}
	if err := chmod(); err != nil {
		if errors.Is(err, syscall.EROFS) {
			return note, nil
		}
		return "", err
	}
	return fmt.Sprintf("%s was open to others (mode %#o); its mode is 0600 now", path, mode), nil
}

// ours reports whether a private file in a directory may belong to a user.
func ours(owner int, dir string) bool {
	me := os.Geteuid()
	if owner == 0 || owner == me {
		return true
	}
	info, err := os.Stat(dir)
	return me == 0 && err == nil && OwnedBy(info, owner)
}

// OwnedBy reports whether what info describes belongs to a user.
func OwnedBy(info fs.FileInfo, uid int) bool {
	o, known := ownerOf(info)
	return known && o.uid == uid
}

// Owner returns the user that what info describes belongs to.
func Owner(info fs.FileInfo) (uid int, known bool) {
	o, known := ownerOf(info)
	return o.uid, known
}

// Group returns the group that what info describes belongs to.
func Group(info fs.FileInfo) (gid int, known bool) {
	o, known := ownerOf(info)
	return o.gid, known
}

// Size is the size of a file in bytes; 0 for one that can't be found.
func Size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Kind says in words what kind of file info describes.
func Kind(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return "a regular file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "of no known kind"
}

// ErrNotRegular: a file that must be a regular one is not. The error says what it is.
var ErrNotRegular = errors.New("not a regular file")

// OpenRegular opens a regular file for reading. It never waits: a named pipe or a device is an [ErrNotRegular].
func OpenRegular(path string) (*os.File, error) {
	check := func(info fs.FileInfo, err error) error {
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%w, but %s", ErrNotRegular, Kind(info))
		}
		return err
	}
	if err := check(os.Stat(path)); err != nil { // first: to open a device can do things
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	if err := check(f.Stat()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
