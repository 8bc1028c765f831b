package web

import (
	"embed"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
)

//go:embed templates templates/_*.html
var sources embed.FS

// pageTemplate is the template of a page, within the layout.
type pageTemplate struct {
	*template.Template
	Script, Style string // URLs of the page's own; empty: it has none
}

// parse reads all templates. Those whose names begin with _ are parts that all others can use.
func parse() map[string]*pageTemplate {
	shared := template.Must(template.New("").Funcs(functions).ParseFS(sources, "templates/layout.html"))
	if parts, _ := fs.Glob(sources, "templates/_*.html"); len(parts) > 0 {
		shared = template.Must(shared.ParseFS(sources, parts...))
	}
	names, _ := fs.Glob(sources, "templates/*.html") // the pattern is valid
	all := map[string]*pageTemplate{}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || strings.HasPrefix(name, "_") {
			continue
		}
		t := &pageTemplate{Template: template.Must(template.Must(shared.Clone()).ParseFS(sources, file))}
		if script := "pages/" + name + ".js"; hasAsset(script) {
			t.Script = assetPath(script)
		}
		if style := "pages/" + name + ".css"; hasAsset(style) {
			t.Style = assetPath(style)
		}
		all[name] = t
	}
	return all
}

// execute writes the page.
func (t *pageTemplate) execute(w io.Writer, v view) error {
	return t.ExecuteTemplate(w, "layout", struct {
		view
		Script, Style string
	}{v, t.Script, t.Style})
}
