package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"evrun/cmd/config/include"
	"evrun/cmd/config/settings"
	"evrun/cmd/config/warnings"
	"evrun/cmd/config/yaml"
	"evrun/store/files"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// Bounds of the files that a wiring file includes.
const (
	maxIncludes = 1000
	maxDepth    = 10       // files that include each other
	maxTexts    = 16 << 20 // bytes of all texts together
)

// includedKeys are the keys at the top of an included file.
type includedKeys struct {
	_ struct{} `owner:"an included file"`
	wiringKeys
}

// includePattern is an entry of include.
type includePattern string

func (p *includePattern) DecodeField(value any, at *fields.At) {
	s, ok := at.Text(value)
	if !ok {
		return
	}
	if f := includeFault(s); f != nil {
		at.Refuse(f)
		return
	}
	*p = includePattern(s)
}

func (*includePattern) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string", "minLength": 1}}
}

// includeFault returns what is wrong with an entry of include in itself; nil for nothing.
func includeFault(s string) *fault.Fault {
	msg, hint := include.Check(s)
	switch part := settings.Unexpanded().FindString(s); {
	case strings.TrimSpace(s) == "":
		return fault.New("the path is empty").Hinting("name a file or a pattern: conf.d/*.yaml")
	case part != "":
		return fault.New("%s is not replaced by anything here", fault.Clip(part, 60)).Hinting("write out what it stands for; a path is relative to this file")
	case strings.Contains(s, "://"):
		return fault.New("only files can be included").Hinting("fetch it first, and name the file")
	case msg != "":
		return fault.New("%s", msg).Hinting("%s", hint)
	}
	return nil
}

// source is a file that is being read, or has been read.
type source struct {
	text
	place string // its path, absolute
	info  fs.FileInfo
	by    *source    // the file that includes it; nil for the wiring file
	at    *yaml.Node // the entry of include; nil for the wiring file
}

// chain names the files that lead to a file, and the file: "evrun.yaml → conf.d/a.yaml".
func (s *source) chain() string {
	if s.by == nil {
		return s.name
	}
	return s.by.chain() + " → " + s.name
}

func (s *source) depth() int {
	if s.by == nil {
		return 0
	}
	return s.by.depth() + 1
}

// includer reads the files that a wiring file includes: each before those that it includes itself.
type includer struct {
	*wiringReader
	main    *yaml.Node
	sources []*source
	bytes   int
}

// include reads the files that the wiring file includes, and returns their absolute paths. The root is the wiring file's.
func (r *wiringReader) include(root *yaml.Node, info fs.FileInfo) (paths []string) {
	main := &source{text: r.texts[0], info: info}
	i := &includer{wiringReader: r, main: root, sources: []*source{main}, bytes: len(main.Source)}
	i.entries(root, main)
	for _, s := range i.sources[1:] {
		paths = append(paths, s.place)
	}
	return paths
}

// entries reads what a file's key include names.
func (i *includer) entries(root *yaml.Node, s *source) {
	_, list := root.Lookup("include")
	if list == nil {
		return
	}
	entries := list.Content
	if list.Kind != yaml.Sequence {
		entries = []*yaml.Node{list}
	}
	for _, n := range entries {
		if n.Kind != yaml.Scalar || n.Broken || i.full() {
			continue
		}
		if text, ok := scalar(n).(string); ok && includeFault(text) == nil {
			i.entry(n, text, s)
		}
	}
}

// entry reads the files that one entry names.
func (i *includer) entry(n *yaml.Node, pattern string, s *source) {
	if !include.Wild(pattern) {
		i.file(n, s.path(pattern), pattern, s)
		return
	}
	paths, err := i.inputs.Expand(s.dir, pattern)
	if err != nil {
		i.missing(n, fmt.Sprintf("%s can't be read: %v", fault.Quote(pattern), err), "")
		return
	}
	if len(paths) == 0 && !i.secrets.Sealed() {
		if why := include.Near(s.dir, pattern); why != "" {
			i.doubts = append(i.doubts, warnings.Warning{
				Start: n.Start, End: n.End(), Message: "no file matches " + fault.Quote(pattern) + ": " + why,
				Hint: "patterns are relative to this file's directory: * is any text without a slash",
			})
		}
	}
	for _, path := range paths {
		if i.full() {
			return
		}
		name := path
		if rel, err := filepath.Rel(s.dir, path); err == nil && !filepath.IsAbs(pattern) {
			name = rel
		}
		i.file(n, path, name, s)
	}
}

// path returns the absolute path of a file that is named in this one.
func (s *source) path(name string) string {
	if name = filepath.FromSlash(name); filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// missing records a fault of an entry whose files are not known: what else needs them can't be checked.
func (i *includer) missing(n *yaml.Node, msg, hint string) {
	i.incomplete = true
	i.at(n, msg, hint)
}

// file reads a file that an entry of another file names. The name is the path as it is written, or as a pattern matched it.
func (i *includer) file(n *yaml.Node, path, name string, by *source) {
	s := &source{by: by, at: n, place: path}
	s.name, s.dir = name, filepath.Dir(path)
	if !filepath.IsAbs(name) {
		s.name = filepath.Join(filepath.Dir(by.name), name)
	}
	read := func(path string) (include.File, error) { return i.inputs.Read(path, true) }
	if include.Wild(n.Value) {
		read = i.inputs.ReadFound
	}
	file, err := read(path)
	if err != nil {
		msg, hint := unreadable(path, err)
		if strings.Contains(name, "{") && errors.Is(err, fs.ErrNotExist) {
			hint = "braces are not wildcards: name each file"
		}
		i.missing(n, fmt.Sprintf("%s can't be included: %s", fault.Quote(name), msg), hint)
		return
	}
	s.info = file.Info
	i.note(file.Note)
	i.bytes += len(file.Text)
	switch again := slices.IndexFunc(i.sources, func(o *source) bool { return include.SameFile(o.info, s.info) }); {
	case again >= 0:
		i.twice(s, i.sources[again])
		return
	case s.depth() > maxDepth:
		i.missing(n, fmt.Sprintf("files are included over %d levels deep: %s", maxDepth, fault.Clip(s.chain(), 600)), "include them in "+i.name)
		return
	case len(i.sources) > maxIncludes:
		i.missing(n, fmt.Sprintf("over %d files are included", maxIncludes), "put several of them into one file")
		return
	case i.bytes > maxTexts:
		i.missing(n, fmt.Sprintf("the included files have over %d MiB together", maxTexts>>20), "are all of these wiring files?")
		return
	}
	i.sources = append(i.sources, s)
	s.text = i.add(s.name, s.dir, withoutMark(file.Text))
	before := len(i.faults)
	root := i.mapping(s.text) // it may be empty
	if root == nil {
		i.incomplete = i.incomplete || len(i.faults) > before
		return
	}
	root = only(root, func(name string) bool { return !strings.HasPrefix(name, "x-") })
	i.keys(root)
	i.parts = append(i.parts, root)
	i.entries(root, s)
}

// twice explains that a file is included although it has been read already.
func (i *includer) twice(s, first *source) {
	hint := "leave it out here"
	switch wild := include.Wild(s.at.Value); {
	case wild && first.by == nil:
		hint = "keep the included files in a directory of their own: conf.d/*.yaml"
	case wild:
		hint = "write a pattern that does not match " + filepath.Base(s.name)
	}
	for by := s.by; by != nil; by = by.by {
		if include.SameFile(by.info, s.info) {
			i.at(s.at, fmt.Sprintf("%s would include itself: %s", by.name, fault.Clip(s.chain(), 600)), hint)
			return
		}
	}
	if first.at == s.at {
		i.at(s.at, fmt.Sprintf("%s and %s are the same file", first.name, s.name), "remove one of the two names")
		return
	}
	i.at(s.at, fmt.Sprintf("%s is included twice: at %s (%s), and here (%s)", s.name, i.placeOf(first.at), fault.Clip(first.chain(), 600), fault.Clip(s.chain(), 600)), hint)
}

// keys checks the keys at the top of an included file.
func (i *includer) keys(root *yaml.Node) {
	values := map[string]any{}
	for at := 0; at < len(root.Content); at += 2 {
		key, n := root.Content[at], root.Content[at+1]
		switch {
		case isLater(key.Value):
			values[key.Value] = fields.Unread{}
		case !includedNames()[key.Value] && fileNames()[key.Value]:
			hint := "move it to " + i.name
			if has, _ := i.main.Lookup(key.Value); has != nil {
				hint = fmt.Sprintf("leave it out: %s has it on line %d", i.name, i.line(has))
			}
			i.at(key, fmt.Sprintf("%q can't be in an included file: it is for the whole wiring", key.Value), hint)
		default:
			values[key.Value] = i.value(n)
		}
	}
	i.decodeValue(root, values, new(includedKeys), i.wiringReader)
}

var includedNames, fileNames = keyNames[includedKeys](), keyNames[fileKeys]()

// unreadable says why a file can't be read, and what to do.
func unreadable(path string, err error) (msg, hint string) {
	var untrusted *files.Error
	abs, _ := filepath.Abs(path) // it was opened
	switch {
	case errors.As(err, &untrusted) && untrusted.Path == abs:
		return untrusted.Msg, untrusted.Hint
	case errors.As(err, &untrusted):
		return untrusted.Error(), untrusted.Hint
	case errors.Is(err, include.ErrNotGiven):
		return include.ErrNotGiven.Error(), "send it, too, under this path"
	case errors.Is(err, fs.ErrNotExist) && isLink(path):
		return "it is a symbolic link to a file that does not exist", "remove the link, or create the file that it leads to"
	case errors.Is(err, fs.ErrNotExist):
		return "no such file", "its path is relative to this file's directory; a pattern, such as conf.d/*.yaml, may match no file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied", "the user that runs evrun must be able to read it"
	case errors.Is(err, files.ErrNotRegular):
		return err.Error(), "name files, or a pattern for those in a directory: conf.d/*.yaml"
	case errors.Is(err, include.ErrLarge):
		return err.Error(), "is this a wiring file?"
	}
	return cause(err), ""
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}

// note records a note once: the files of one directory have the same.
func (r *wiringReader) note(text string) {
	if text != "" && !slices.Contains(r.notes, text) {
		r.notes = append(r.notes, text)
	}
}
