package web

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// forbidden are what templates and scripts must not have: the policy would have the browser ignore it, or it would make HTML of texts.
var forbidden = map[string][]*regexp.Regexp{
	".html": {
		regexp.MustCompile(`(?i)\sstyle\s*=`),            // style-src 'self'
		regexp.MustCompile(`(?i)\son[a-z]+\s*=\s*["']`),  // script-src 'self'
		regexp.MustCompile(`(?i)<script[^>]*>\s*[^<\s]`), // a script in the page
		regexp.MustCompile(`(?i)javascript:`),
		regexp.MustCompile(`(?i)https?://`), // nothing comes from elsewhere
	},
	".js": {
		regexp.MustCompile(`\b(innerHTML|outerHTML\s*=[^=]|insertAdjacentHTML|document\.write|srcdoc|eval\(|new Function)`),
		regexp.MustCompile(`setAttribute\(\s*['"](style|on)`),
	},
	".css": {
		regexp.MustCompile(`@import|url\(\s*["']?(https?:)?//`),
	},
}

func TestSourcesHaveNothingThatThePolicyForbids(t *testing.T) {
	seen := 0
	for _, in := range []fs.FS{sources, static} {
		err := fs.WalkDir(in, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.Contains(name, "/vendor/") {
				return err
			}
			text, err := fs.ReadFile(in, name)
			if err != nil {
				return err
			}
			seen++
			for _, bad := range forbidden[path.Ext(name)] {
				for _, at := range bad.FindAllIndex(text, -1) {
					line := 1 + strings.Count(string(text[:at[0]]), "\n")
					t.Errorf("%s:%d has %q", name, line, text[at[0]:at[1]])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 15 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// A file from elsewhere comes with its licence.
func TestVendoredFilesHaveTheirLicences(t *testing.T) {
	dirs, err := fs.ReadDir(static, "static/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if text, err := fs.ReadFile(static, "static/vendor/"+d.Name()+"/LICENSE"); err != nil || !strings.Contains(string(text), "Permission is hereby granted") {
			t.Errorf("%s: %v", d.Name(), err)
		}
	}
}

var (
	staticName = regexp.MustCompile(`\{\{\s*static "([^"]+)"`)
	iconName   = regexp.MustCompile(`\bicon[ (]["']([a-z-]+)["']`)
	importName = regexp.MustCompile(`(?m)(?:from|import)\s*\(?\s*'(\.[^']+)'`)
)

// What pages and scripts name exists: files, icons, modules.
func TestSourcesNameWhatExists(t *testing.T) {
	icons, err := fs.ReadFile(static, "static/icons.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []fs.FS{sources, static} {
		_ = fs.WalkDir(in, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.Contains(name, "/vendor/") {
				return err
			}
			text, _ := fs.ReadFile(in, name)
			for _, m := range staticName.FindAllSubmatch(text, -1) {
				if !hasAsset(string(m[1])) {
					t.Errorf("%s: there is no file %s", name, m[1])
				}
			}
			for _, m := range iconName.FindAllSubmatch(text, -1) {
				if !strings.Contains(string(icons), `id="`+string(m[1])+`"`) {
					t.Errorf("%s: there is no icon %s", name, m[1])
				}
			}
			if path.Ext(name) == ".js" {
				for _, m := range importName.FindAllSubmatch(text, -1) {
					if file := path.Join(strings.TrimPrefix(path.Dir(name), "static"), string(m[1])); !hasAsset(strings.TrimPrefix(file, "/")) {
						t.Errorf("%s imports %s, which does not exist", name, m[1])
					}
				}
			}
			return nil
		})
	}
}

// Each page has a template, and a page of the navigation has its entry.
func TestPagesAreComplete(t *testing.T) {
	templates := parse()
	for _, p := range pages {
		if templates[p.template] == nil {
			t.Errorf("%s: there is no template %q", p.pattern, p.template)
		}
		known := p.nav == ""
		for _, e := range navigation {
			known = known || e.Nav == p.nav
		}
		if !known {
			t.Errorf("%s: the navigation has no %q", p.pattern, p.nav)
		}
	}
}
