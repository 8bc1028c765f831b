// Package include finds and reads the files that a wiring file is made of, and says whether they have changed since. It knows nothing of their content.
//
// A pattern has the wildcards of [path.Match] in each of its elements: * is any text without a slash, ? one character, [a-z] one of these, and \ takes
// the meaning from the character after it. A wildcard never matches what editors and packages leave behind: names that begin with a dot or
// a # or end with ~, and suffixes such as .bak. Matches are sorted by their bytes.
//
//	var in include.Inputs
//	paths, err := in.Expand("/etc/evrun", "conf.d/*.yaml")
//	file, err := in.Read(paths[0], true)
//	…
//	if in.Changed() { // read all of it again
package include

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of an expansion. A pattern of a directory with more entries would take noticeable time at each look for changes.
const (
	maxMatches = 1000
	maxEntries = 10_000
)

// Wild reports whether a pattern has wildcards. Without, it names one file, which must exist.
func Wild(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

// Check says what is wrong with the wildcards of a pattern, and what to do; empty: nothing.
func Check(pattern string) (msg, hint string) {
	for element := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(element, "x"); err != nil {
			return "the pattern is not complete: a [ without its ], or a \\ at its end", `a \ before it takes the meaning from a [`
		}
		if at := strings.Index(element, "[!"); at >= 0 && !strings.HasSuffix(element[:at], `\`) {
			return "[! is not a negation here", "write [^ for all characters but these"
		}
		if element == "**" {
			return "** would have to match directories at any depth, which patterns can't", "write a pattern for each depth: conf.d/*.yaml, conf.d/*/*.yaml"
		}
	}
	return "", ""
}

// expand lists the files that a pattern with wildcards matches. A directory that does not exist has no files.
func expand(dir, pattern string) ([]string, error) {
	dir, elements := begin(dir, pattern)
	places := []string{dir}
	for i, element := range elements {
		last := i == len(elements)-1
		var next []string
		for _, dir := range places {
			found, err := step(dir, element, last)
			if err != nil {
				return nil, err
			}
			if next = append(next, found...); len(next) > maxMatches {
				return nil, fmt.Errorf("it matches over %d files or directories", maxMatches)
			}
		}
		places = next
	}
	return places, nil
}

// matching returns those of the paths that a pattern with wildcards matches.
func matching(paths []string, dir, pattern string) (found []string) {
	dir, elements := begin(dir, pattern)
	base := strings.FieldsFunc(filepath.ToSlash(dir), func(r rune) bool { return r == '/' })
	for _, name := range paths {
		parts := strings.FieldsFunc(filepath.ToSlash(name), func(r rune) bool { return r == '/' })
		if len(parts) != len(base)+len(elements) || !slices.Equal(parts[:len(base)], base) {
			continue
		}
		fits := true
		for i, element := range elements {
			part := parts[len(base)+i]
			ok, _ := path.Match(element, part)
			fits = fits && ok && (!Wild(element) || !leftover(part) || strings.HasPrefix(element, part[:1]))
		}
		if fits && len(found) < maxMatches {
			found = append(found, name)
		}
	}
	return found
}

// begin returns where a pattern begins, which is dir unless it is absolute, and its elements.
func begin(dir, pattern string) (string, []string) {
	if filepath.IsAbs(pattern) {
		volume := filepath.VolumeName(pattern)
		dir, pattern = volume+string(filepath.Separator), pattern[len(volume):]
	}
	return dir, strings.FieldsFunc(pattern, func(r rune) bool { return r == '/' })
}

// root returns the directory above the first wildcard of a pattern.
func root(dir, pattern string) string {
	dir, elements := begin(dir, pattern)
	for _, element := range elements {
		if Wild(element) {
			break
		}
		dir = filepath.Join(dir, element)
	}
	return dir
}

// step lists what one element of a pattern matches in a directory: files for the last element, otherwise directories.
func step(dir, element string, last bool) ([]string, error) {
	if !Wild(element) {
		name := filepath.Join(dir, element)
		if !last {
			return []string{name}, nil
		}
		if info, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			return nil, nil
		}
		return []string{name}, nil // what else is wrong with it is found when it is read
	}
	names, err := entries(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		if ok, _ := path.Match(element, name); !ok || leftover(name) && !strings.HasPrefix(element, name[:1]) {
			continue
		}
		name = filepath.Join(dir, name)
		if info, err := os.Stat(name); (err == nil && info.IsDir()) == last { // a link that leads nowhere is a file that can't be read
			continue
		}
		found = append(found, name)
	}
	return found, nil
}

// entries lists the names in a directory, sorted.
func entries(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, because(dir, err)
	}
	defer d.Close()
	names, err := d.Readdirnames(maxEntries + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, because(dir, err)
	case len(names) > maxEntries:
		return nil, fmt.Errorf("the directory %s has over %d entries", dir, maxEntries)
	}
	slices.Sort(names)
	return names, nil
}

// because is the error of a directory that can't be read.
func because(dir string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("the directory %s can't be read: %w", dir, err)
}

// leftover reports whether a name is one that editors, package managers and patches leave beside a file.
func leftover(name string) bool {
	if strings.ContainsAny(name[:1], ".#") || strings.HasSuffix(name, "~") {
		return true
	}
	switch ext := path.Ext(name); ext {
	case ".bak", ".old", ".orig", ".rej", ".save", ".swp", ".tmp", ".rpmnew", ".rpmorig", ".rpmsave":
		return true
	default:
		return strings.HasPrefix(ext, ".dpkg-") || strings.HasPrefix(ext, ".ucf-")
	}
}

// Near says why a pattern may match nothing: its directory does not exist, or has other YAML files. Empty: it has none, as a directory for
// drop-in files may, or the pattern has several directories.
func Near(dir, pattern string) string {
	dir, elements := begin(dir, pattern)
	for _, element := range elements[:len(elements)-1] {
		if Wild(element) {
			return ""
		}
		dir = filepath.Join(dir, element)
	}
	names, err := entries(dir)
	if _, missing := os.Stat(dir); err != nil || errors.Is(missing, fs.ErrNotExist) {
		return "the directory does not exist"
	}
	for _, name := range names {
		if ext := path.Ext(name); (ext == ".yaml" || ext == ".yml") && !leftover(name) {
			return "its directory has " + name
		}
	}
	return ""
}
