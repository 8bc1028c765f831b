package config

import (
	"bytes"
	"errors"
	"io/fs"

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
	f := Fault{File: path}
	f.Message, f.Hint = unreadable(path, err)
	_, untrusted := errors.AsType[*files.Error](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f = missing(path, o)
	case errors.Is(err, files.ErrNotRegular):
		f.Hint = "name the wiring file with -c FILE"
	case !untrusted && !errors.Is(err, include.ErrLarge):
		f.Message = "the file can't be read: " + f.Message
	}
	return &Errors{Path: path, Faults: []Fault{f}, Inputs: in}
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
