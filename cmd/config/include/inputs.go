package include

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"evrun/store/files"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 1 << 20

// ErrLarge is the error of a file over 1 MiB, which is not read.
var ErrLarge = errors.New("the file is over 1 MiB")

// Inputs are the files that a wiring was read from, and the patterns that may match others later. The zero value has none. The methods that add some must not
// run at the same time as others.
type Inputs struct {
	// Given are the texts of files by their absolute paths. If it is not nil, they are all that can be read: nothing of this machine is.
	Given map[string][]byte

	files    []input
	patterns []expansion
}

// input is a file, with a hash of its text or of the reason why it could not be read.
type input struct {
	path     string
	commands bool
	found    bool // by a pattern
	sum      [sha256.Size]byte
	read     bool
	text     string
}

// Source is a file that was read: its absolute path and its text.
type Source struct{ Path, Text string }

// Sources returns the files that could be read, each once, in the order in which they were read.
func (in *Inputs) Sources() (list []Source) {
	seen := map[string]bool{}
	for _, f := range in.files {
		if f.read && !seen[f.path] {
			seen[f.path] = true
			list = append(list, Source{f.path, f.text})
		}
	}
	return list
}

// expansion is a pattern with its matches, or the reason why they are not known.
type expansion struct{ dir, pattern, matches string }

// File is a file that has been read.
type File struct {
	Text []byte
	Info fs.FileInfo // for [os.SameFile]
	Note string      // of a check that was left out: see [files.Trusted]
}

// Read reads a file that decides what is run: commands is as in [files.Trusted], whose *[files.Error] is the error of a file that is not to be trusted.
// A file that can't be read is one of the inputs, too: it may exist later.
func (in *Inputs) Read(path string, commands bool) (File, error) {
	return in.read(path, commands, false)
}

// ReadFound is Read for a file that a pattern matches: see [files.TrustedFind].
func (in *Inputs) ReadFound(path string) (File, error) { return in.read(path, true, true) }

func (in *Inputs) read(path string, commands, found bool) (File, error) {
	file, err := in.given(path)
	if in.Given == nil {
		file, err = read(path, commands, found)
	}
	if i := (input{absolute(path), commands, found, sum(file.Text, err), err == nil, string(file.Text)}); !slices.Contains(in.files, i) { // many schedules may name one calendar
		in.files = append(in.files, i)
	}
	return file, err
}

// ErrNotGiven is the error of a file that is not among those that were given.
var ErrNotGiven = errors.New("it is not among the files that were sent")

// given reads one of the given files.
func (in *Inputs) given(path string) (file File, err error) {
	path = absolute(path)
	switch text, ok := in.Given[path]; {
	case !ok:
		return file, &fs.PathError{Op: "open", Path: path, Err: ErrNotGiven}
	case len(text) > maxFile:
		return file, ErrLarge
	default:
		return File{Text: text, Info: givenInfo{path}}, nil
	}
}

// givenInfo is the info of a given file: its path, and nothing else.
type givenInfo struct{ path string }

func (i givenInfo) Name() string     { return filepath.Base(i.path) }
func (givenInfo) Size() int64        { return 0 }
func (givenInfo) Mode() fs.FileMode  { return 0 }
func (givenInfo) ModTime() time.Time { return time.Time{} }
func (givenInfo) IsDir() bool        { return false }
func (givenInfo) Sys() any           { return nil }

// SameFile reports whether both are infos of one file.
func SameFile(a, b fs.FileInfo) bool { return a == b || os.SameFile(a, b) }

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func read(path string, commands, found bool) (File, error) {
	return readAs(path, func() (string, error) {
		note, err := files.Trusted(path, commands)
		if found && note == "" && err == nil {
			note, err = files.TrustedFind(path)
		}
		return note, err
	})
}

// Text reads a file that need not be trusted.
func Text(path string) ([]byte, error) {
	file, err := readAs(path, func() (string, error) { return "", nil })
	return file.Text, err
}

func readAs(path string, trusted func() (note string, err error)) (file File, err error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return file, err
	}
	defer f.Close()
	if file.Note, err = trusted(); err != nil {
		return file, err
	}
	if file.Info, err = f.Stat(); err != nil {
		return file, err
	}
	file.Text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(file.Text) > maxFile {
		err = ErrLarge
	}
	return file, err
}

func sum(text []byte, err error) [sha256.Size]byte {
	if err != nil {
		return sha256.Sum256([]byte("error: " + err.Error()))
	}
	return sha256.Sum256(text)
}

// Expand lists the files that a pattern with wildcards matches. The pattern is relative to dir, or absolute.
func (in *Inputs) Expand(dir, pattern string) ([]string, error) {
	if in.Given != nil {
		return matching(slices.Sorted(maps.Keys(in.Given)), dir, pattern), nil
	}
	found, err := expand(dir, pattern)
	in.patterns = append(in.patterns, expansion{dir, pattern, joined(found, err)})
	return found, err
}

func joined(found []string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return strings.Join(found, "\x00")
}

// Files returns the absolute paths of the files, in the order in which they were read.
func (in *Inputs) Files() []string {
	var paths []string
	for _, f := range in.files {
		paths = append(paths, f.path)
	}
	return paths
}

// Places returns the paths of the files, and of the directories in which patterns look for more.
func (in *Inputs) Places() []string {
	places := in.Files()
	for _, p := range in.patterns {
		places = append(places, root(p.dir, p.pattern))
	}
	return places
}

// Changed reads everything again, and reports whether a file has another text than when it was read, or a pattern other matches.
func (in *Inputs) Changed() bool {
	return in.Given == nil && slices.ContainsFunc(in.files, func(f input) bool {
		file, err := read(f.path, f.commands, f.found)
		return sum(file.Text, err) != f.sum
	}) || slices.ContainsFunc(in.patterns, func(p expansion) bool { return joined(expand(p.dir, p.pattern)) != p.matches }) // given files have no patterns
}

// young is how long a file's time of change can stay the same although the file changes again: the clocks of some file systems have steps of two seconds.
const young = 2 * time.Second

// Look describes the inputs without reading files: their sizes, times, modes and inodes, after symbolic links, and what the patterns match.
// While nothing changes, the description is the same. After a change of a file it changes once more, when the file is no longer young: a second change
// could have had the same time.
func (in *Inputs) Look(now time.Time) string {
	var b strings.Builder
	dirs := map[string]bool{}
	look := func(path string) {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			fmt.Fprintln(&b, "gone")
		case info.IsDir():
			fmt.Fprintln(&b, info.Mode())
		default:
			at := info.ModTime()
			fmt.Fprintln(&b, info.Size(), at.UnixNano(), files.Inode(info), info.Mode(), now.Sub(at) < young)
		}
	}
	for _, f := range in.files {
		look(f.path)
		if dir := filepath.Dir(f.path); !dirs[dir] { // its mode decides whether the file is trusted
			dirs[dir] = true
			look(dir)
		}
	}
	for _, p := range in.patterns {
		fmt.Fprintln(&b, joined(expand(p.dir, p.pattern)))
	}
	return b.String()
}
