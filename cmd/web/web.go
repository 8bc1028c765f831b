// Package web is evrun's dashboard: pages that are rendered here, and the scripts, styles and pictures that they use, all of them embedded.
//
// A page asks the documented API for what it shows, in this process and as the user who asks for the page: the context of the request says who that is
// (package access), and each route of the API checks the right that it names. So nobody sees or does here what the API would refuse. What scripts add in the
// browser (live data, actions) are requests of the same API.
//
//	server := api.NewServer(api.Options{Pages: web.Pages, …})
//
// A page ([page]) is a file of this package with its template, and if it has any a script and a style of the same name: runs.go, templates/runs.html,
// static/pages/runs.js, static/pages/runs.css. The URL holds the whole state of a view, so a view can be kept and sent as a link, and forms and links work without
// scripts. An element with data-region is kept current by a script that asks for the page again: what a page looks like is decided by its template alone.
//
// Scripts are modules as they are, without a build step. Nothing is written into a page as HTML by a script, except by lib/regions.js; the
// policy ([policy]) has the browser enforce that, and that nothing comes from elsewhere.
//
// No goroutines.
package web

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
	"evrun/cmd/api/shape"
)

// policy is the Content-Security-Policy of all pages: scripts and styles are files of this server, and only lib/regions.js makes HTML of texts.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types evrun"

// Pages are the pages of the dashboard and their files. server answers the API.
func Pages(server http.Handler) []shape.Page {
	s := &site{api: client.InProcess(server), templates: parse()}
	list := []shape.Page{{Pattern: "GET /static/{version}/{file...}", Right: access.Open, Handler: http.HandlerFunc(serveAsset)}}
	for _, p := range pages {
		list = append(list, shape.Page{Pattern: p.pattern, Right: p.right, Handler: s.serve(p), Refused: s.refused})
	}
	return list
}

// site renders the pages.
type site struct {
	api       *client.Client
	templates map[string]*pageTemplate
}

// serve answers requests for a page.
func (s *site) serve(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{Request: r, api: s.api, query: r.URL.Query(), now: time.Now(), who: access.From(r.Context())}
		data, err := p.load(q)
		if to, ok := errors.AsType[elsewhere](err); ok {
			http.Redirect(w, r, string(to), http.StatusSeeOther)
			return
		}
		status, name := http.StatusOK, p.template
		if err != nil {
			data, status = failed(err)
			q.title, name = http.StatusText(status), "error"
		}
		s.render(w, q, status, name, p, data)
	})
}

// refused shows why a request for a page was not let in.
func (s *site) refused(w http.ResponseWriter, r *http.Request, p *api.Problem) {
	q := &request{Request: r, api: s.api, query: r.URL.Query(), now: time.Now(), who: access.From(r.Context()), title: p.Title}
	s.render(w, q, p.Status, "error", page{}, p)
}

// render writes a page. It is rendered whole before it is written, so that an error never leaves half of one.
func (s *site) render(w http.ResponseWriter, q *request, status int, name string, p page, data any) {
	var page bytes.Buffer
	v := view{Title: cmp.Or(q.title, p.title), Nav: p.nav, Data: data, request: q}
	if err := s.templates[name].execute(&page, v); err != nil {
		http.Error(w, "the page can't be rendered: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	writeCompressed(w, q.Request, status, page.Bytes())
}

// failed is what an error page shows, and its status.
func failed(err error) (*api.Problem, int) {
	var p *api.Problem
	if errors.As(err, &p) {
		return p, p.Status
	}
	return &api.Problem{Status: http.StatusInternalServerError, Title: http.StatusText(http.StatusInternalServerError), Detail: err.Error()}, http.StatusInternalServerError
}
