package config

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"

	"evrun/cmd/config/include"
	"evrun/store/files"
)

// Text reads the text of a wiring file, unchecked. Its error is an [*Errors].
func Text(path string, o Options) ([]byte, error) {
	text, err := include.Text(path)
	if err != nil {
		return nil, unusable(path, err, o, nil)
	}
	return text, nil
}

// unusable returns the fault of a wiring file that can't be read.
func unusable(path string, err error, o Options, in *include.Inputs) error {
	fail := func(msg, hint string) error {
		return &Errors{Path: path, Faults: []Fault{{File: path, Message: msg, Hint: hint}}, Inputs: in}
	}
	var untrusted *files.Error
	abs, _ := filepath.Abs(path) // for an error with it
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Errors{Path: path, Faults: []Fault{missing(path, o)}, Inputs: in}
	case errors.Is(err, fs.ErrPermission):
		return fail("the file can't be read: permission denied", "the user that runs evrun must be able to read it")
	case errors.Is(err, files.ErrNotRegular):
		return fail(err.Error(), "name the wiring file with -c FILE")
	case errors.As(err, &untrusted) && untrusted.Path == abs:
		return fail(untrusted.Msg, untrusted.Hint)
	case errors.As(err, &untrusted):
		return fail(untrusted.Error(), untrusted.Hint)
	case errors.Is(err, include.ErrLarge):
		return fail(err.Error(), "is this a wiring file?")
	}
	return fail("the file can't be read: "+cause(err), "")
}

// CheckSyntax checks that a text is YAML as a wiring file may have it, and looks at no key. name is its name in messages. A text without content is
// right. The error is an [*Errors].
func CheckSyntax(name string, src []byte) error {
	d := newDocument(name, "", withoutMark(src))
	d.mapping(d.texts[0])
	return d.err()
}

// withoutMark returns a text without its byte order mark.
func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }
