// Package wiring says of the running wiring what people look at: the graph of its types and handlers, its files with what validate finds in them, and
// what other files would do with recorded events.
//
//	w := wiring.New(wiring.Options{Current: current, Load: load})
//	graph := w.Graph()
//	result, err := w.WhatIf(ctx, files, recorded)
//
// Files that somebody sends are read without a look at this machine: see [config.Options]. No goroutines.
package wiring

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"evrun/cmd/api/shape"
	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/store"
	"evrun/tasks/expression"
)

// Options are what a [Wiring] is about. None may be left out.
type Options struct {
	Current func() *config.Config                                   // whose wiring runs
	Load    func() (*config.Config, error)                          // reads its files again
	Parsers func(settings.Store) (own, files store.StatementParser) // see [config.Options]
}

// Wiring answers questions about a wiring. It is safe for concurrent use.
type Wiring struct{ o Options }

// New makes a Wiring.
func New(o Options) *Wiring { return &Wiring{o} }

// Files returns the texts of the wiring that runs, or of the files as they are on disk, with all findings. Texts that are known to be secrets are
// removed from both.
func (w *Wiring) Files(_ context.Context, disk bool) (shape.WiringFiles, error) {
	running := w.o.Current()
	redact := running.Secrets.Redact
	result := shape.WiringFiles{Path: running.Path, Of: "running", Valid: true, Changed: running.Inputs.Changed()}
	cfg, findings := running, running.Warnings
	if disk {
		result.Of = "disk"
		read, err := w.o.Load()
		var faults *config.Errors
		switch {
		case errors.As(err, &faults):
			result.Valid, findings = false, faults.Faults
			cfg = &config.Config{Path: running.Path, Dir: running.Dir, Inputs: faults.Inputs}
		case err != nil:
			return result, err
		default:
			cfg, findings = read, read.Warnings
			redact = func(text string) string { return running.Secrets.Redact(read.Secrets.Redact(text)) }
		}
	}
	result.Notes = cfg.Notes
	result.Files = filesOf(cfg, redact)
	result.Findings = findingsOf(findings, running.Dir, redact)
	return result, nil
}

// redacted stands for secrets in files, as a text that is a value in YAML: so the file can be edited and compared.
const redacted = "REDACTED"

func hidden(text string, redact func(string) string) string {
	return strings.ReplaceAll(redact(text), expression.Masked, redacted)
}

// filesOf are the files that were read.
func filesOf(cfg *config.Config, redact func(string) string) []shape.WiringFile {
	list := []shape.WiringFile{}
	if cfg.Inputs == nil {
		return list
	}
	for _, source := range cfg.Inputs.Sources() {
		list = append(list, shape.WiringFile{Path: below(cfg.Dir, source.Path), Text: hidden(source.Text, redact)})
	}
	return list
}

// below is a path relative to a directory, if it is below that.
func below(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}

// findingsOf are the shapes of faults and warnings.
func findingsOf(list []config.Fault, dir string, redact func(string) string) []shape.Finding {
	found := make([]shape.Finding, 0, len(list))
	for _, f := range list {
		severity := "error"
		if f.Warning {
			severity = "warning"
		}
		file := f.File
		if abs, err := filepath.Abs(file); err == nil && f.Line > 0 {
			file = below(dir, abs)
		}
		found = append(found, shape.Finding{Severity: severity, File: file, Line: f.Line, Column: f.Column, Width: f.Width,
			Message: redact(f.Message), Hint: redact(f.Hint), Source: redact(f.SourceLine)})
	}
	return found
}

// given are the files of the wiring that runs, with those of a request in their places, by their absolute paths, each as redact leaves it.
func given(cfg *config.Config, sent []shape.WiringFile, redact func(string) string) map[string][]byte {
	files := map[string][]byte{}
	for _, source := range cfg.Inputs.Sources() {
		files[source.Path] = []byte(redact(source.Text))
	}
	for _, f := range sent {
		path := filepath.FromSlash(f.Path)
		switch {
		case strings.TrimSpace(path) == "":
			path = cfg.Path
		case !filepath.IsAbs(path):
			path = filepath.Join(cfg.Dir, path)
		}
		files[filepath.Clean(path)] = []byte(redact(f.Text))
	}
	return files
}

// loadGiven reads a wiring that is made of given files.
func (w *Wiring) loadGiven(files map[string][]byte) (*config.Config, error) {
	return config.Load(w.o.Current().Path, config.Options{Given: files, Parsers: w.o.Parsers})
}
