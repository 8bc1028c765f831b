package config

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"evrun/store/files"
	"evrun/tasks/fault"
)

// missing is the fault of a wiring file that does not exist. It says who named the file, and which files in its directory look like wiring files.
// Other directories, such as its parents, are not searched: which file runs would depend on more than what a user sees.
func missing(path string, o Options) Fault {
	f := Fault{File: path, Message: "no such file"}
	byFlag := o.Flags != nil && o.Flags.Changed("config")
	if getenv := o.Getenv; getenv != nil && !byFlag && getenv("EVRUN_CONFIG") == path {
		f.Message += "; EVRUN_CONFIG names it"
	}
	write := "evrun init"
	if byFlag {
		write += " -c " + path
	}
	f.Hint = fmt.Sprintf("write one with %q, or name another one with -c FILE or EVRUN_CONFIG", write)
	if found := lookalikes(filepath.Dir(path)); len(found) > 0 {
		for i, name := range found {
			found[i] = filepath.Join(filepath.Dir(path), name)
		}
		f.Hint += "; beside it there is " + fault.Or(found)
	}
	return f
}

// Bounds of the search for files that look like wiring files.
const (
	beside    = 1000     // entries of the directory that are read
	looked    = 50       // files that are read
	head      = 16 << 10 // bytes of them that are read
	suggested = 3        // files that are suggested
)

// lookalikes returns the names of YAML files of a directory that have handlers, schedules or include at their top; first those named *.example.yaml.
func lookalikes(dir string) (found []string) {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.ReadDir(beside) // those that could be read
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".yaml" || ext == ".yml" {
			names = append(names, e.Name())
		}
	}
	example := func(name string) int {
		if strings.HasSuffix(strings.TrimSuffix(name, filepath.Ext(name)), ".example") {
			return 0
		}
		return 1
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(example(a)-example(b), strings.Compare(a, b)) })
	for _, name := range names[:min(len(names), looked)] {
		if looksLikeWiring(filepath.Join(dir, name)) {
			found = append(found, name)
		}
	}
	return found[:min(len(found), suggested)]
}

func looksLikeWiring(path string) bool {
	f, err := files.OpenRegular(path)
	if err != nil {
		return false
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, head)) // as far as it can be read
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("handlers:")) || bytes.HasPrefix(line, []byte("schedules:")) || bytes.HasPrefix(line, []byte("include:")) {
			return true
		}
	}
	return false
}
