package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"

	"evrun/store/files"
)

const (
	maxFile       = 1 << 20 // bytes
	byteOrderMark = "\ufeff"
)

// Text reads the text of a wiring file, unchecked. Its error is an [*Errors].
func Text(path string, o Options) ([]byte, error) {
	fail := func(msg, hint string) ([]byte, error) {
		return nil, &Errors{Path: path, Faults: []Fault{{File: path, Message: msg, Hint: hint}}}
	}
	f, err := files.OpenRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Errors{Path: path, Faults: []Fault{missing(path, o)}}
	case errors.Is(err, fs.ErrPermission):
		return fail("the file can't be read: permission denied", "the user that runs evrun must be able to read it")
	case errors.Is(err, files.ErrNotRegular):
		return fail(err.Error(), "name the wiring file with -c FILE")
	case err != nil:
		return fail("the file can't be read: "+cause(err), "")
	}
	defer f.Close()
	var text bytes.Buffer
	if info, err := f.Stat(); err == nil {
		text.Grow(int(min(info.Size(), maxFile)) + bytes.MinRead)
	}
	_, err = text.ReadFrom(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return fail("the file can't be read: "+cause(err), "")
	case text.Len() > maxFile:
		return fail("the file is over 1 MiB", "is this a wiring file?")
	}
	return text.Bytes(), nil
}

// CheckSyntax checks that a text is YAML as a wiring file may have it, and looks at no key. name is its name in messages. A text without content is
// right. The error is an [*Errors].
func CheckSyntax(name string, src []byte) error {
	d := newDocument(name, "", bytes.TrimPrefix(src, []byte(byteOrderMark)))
	if d.root(d.texts[0]) == nil && d.bare {
		return nil
	}
	return d.err()
}
