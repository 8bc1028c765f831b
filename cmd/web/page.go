package web

import (
	"net/http"
	"net/url"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
)

// page is a page of the dashboard.
type page struct {
	pattern  string // as [http.ServeMux] takes it: GET /runs/{id}
	right    access.Right
	nav      string // the entry of the navigation that it belongs to
	title    string // unless load sets the request's
	template string // the name of its template, script and style

	// load returns what the template shows as .Data. An error is shown as a page with its status: that of an [*api.Problem].
	load func(*request) (any, error)
}

// elsewhere is the error of a page that leads to another path.
type elsewhere string

func (e elsewhere) Error() string { return "go to " + string(e) }

// request is a request for a page.
type request struct {
	*http.Request
	api   *client.Client // asks as the user, with the context of the request
	query url.Values
	now   time.Time
	who   *access.Identity
	title string // of the page, if it says more than the page's own
}

// view is what templates are executed with.
type view struct {
	Title string
	Nav   string
	Data  any
	*request
}

// May reports whether the user has a right: read, emit, operate or admin.
func (v view) May(right string) bool { return v.who.May(access.Right(right)) }

// Query are the parameters of the page's URL.
func (v view) Query() url.Values { return v.query }

// Path is the page's path, without parameters.
func (v view) Path() string { return v.URL.Path }

// Who is the name of the user's token; empty for who came by the socket.
func (v view) Who() string { return v.who.Name() }

// SignedIn reports whether the page is shown to somebody who may see more than the page where browsers sign in.
func (v view) SignedIn() bool { return v.who.Local() || v.who.Name() != "" }

// Navigation are the entries of the navigation.
func (view) Navigation() []entry { return navigation }

// Keys are the parameters that a form must carry along, all but those that it has fields for.
func (v view) Keys(but ...string) url.Values {
	rest := url.Values{}
	for key, values := range v.query {
		rest[key] = values
	}
	for _, key := range but {
		rest.Del(key)
	}
	return rest
}
