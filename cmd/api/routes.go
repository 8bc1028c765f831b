package api

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
)

// Route is a route of the API, as it declares itself. From the declaration come its right at the gate, its part of the description (package openapi)
// and of the reference, and with its endpoint the decoding of what it takes.
type Route struct {
	Pattern  string       // as [http.ServeMux] takes it
	Right    access.Right // what a token must have; without one, it is refused by TCP
	Daemon   bool         // only a running daemon can answer it
	follows  bool         // or who follows the store without a daemon: see [Following]
	Local    bool         // only for clients of the socket
	Host     bool         // by TCP it must be sent to a name of this server, although it needs no token
	Doc      string       // what it does, in sentences; the first one is its title
	Named    string       // what the part of the path in braces is
	Headers  []openapi.Header
	Bodies   []openapi.Content // that it takes; nil: what the endpoint decodes
	Optional bool              // the body may be missing
	Answers  []openapi.Answer  // nil: 200 with what the endpoint returns
	Refuses  []int             // the statuses of problems of its own, beside those that follow from the rest of the declaration
	endpoint
}

// Group is a part of the routes, with a title.
type Group struct {
	Title  string
	Routes []Route
}

// Groups are all routes, by subject.
var Groups = []Group{
	{"Events", eventRoutes}, {"Runs", runRoutes}, {"Actions on a selection", batchRoutes}, {"Schedules and handlers", wiredRoutes},
	{"Hooks", hookRoutes}, {"The wiring", wiringRoutes},
	{"Users", userRoutes}, {"Tokens", tokenRoutes}, {"The daemon", daemonRoutes},
}

// Routes are all routes.
var Routes = func() (all []Route) {
	for _, g := range Groups {
		all = append(all, g.Routes...)
	}
	return all
}()

// answer is an answer in JSON.
func answer[T any](status int, doc string) openapi.Answer {
	return openapi.Answer{Status: status, Doc: doc, Contents: []openapi.Content{{Type: openapi.JSON, Of: openapi.Of[T]()}}}
}

// Operations are the routes as their description has them.
func Operations() (list []openapi.Operation) {
	for _, g := range Groups {
		for _, r := range g.Routes {
			o := r.Operation()
			o.Tag = g.Title
			list = append(list, o)
		}
	}
	return list
}

// Operation is the route as the description of the API has it.
func (r *Route) Operation() openapi.Operation {
	o := openapi.Operation{Pattern: r.Pattern, Doc: r.Doc, Query: r.query, Headers: r.Headers, Bodies: r.Bodies, Optional: r.Optional, Answers: slices.Clone(r.Answers), Path: map[string]string{}, Extra: map[string]any{}}
	if r.Right != access.Open {
		o.Security = []string{string(r.Right)}
	}
	if r.Daemon {
		o.Extra["x-daemon"] = true
	}
	if r.Local {
		o.Extra["x-local"] = true
	}
	if _, name, ok := strings.Cut(r.Pattern, "{"); ok {
		name, _, _ = strings.Cut(name, "}")
		o.Path[name] = r.Named
	}
	if o.Bodies == nil && r.body != nil {
		o.Bodies = []openapi.Content{{Type: openapi.JSON, Of: []reflect.Type{r.body}}}
	}
	if o.Answers == nil && r.answer != nil {
		o.Answers = []openapi.Answer{{Status: http.StatusOK, Contents: []openapi.Content{{Type: openapi.JSON, Of: []reflect.Type{r.answer}}}}}
	}
	for _, status := range r.refusals() {
		o.Answers = append(o.Answers, openapi.Answer{Status: status, Doc: openapi.Refusals[status], Contents: []openapi.Content{{Type: openapi.Problem, Of: openapi.Of[Problem]()}}})
	}
	return o
}

// refusals are the statuses of the problems that the route can have, in order.
func (r *Route) refusals() []int {
	list := append([]int{http.StatusBadRequest}, r.Refuses...)
	if r.Right != access.Open {
		list = append(list, http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest)
	} else if r.Host {
		list = append(list, http.StatusForbidden, http.StatusMisdirectedRequest)
	}
	if strings.Contains(r.Pattern, "{") {
		list = append(list, http.StatusNotFound)
	}
	if r.body != nil || r.Bodies != nil {
		list = append(list, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if strings.HasPrefix(r.Pattern, "POST ") {
		list = append(list, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInsufficientStorage)
	}
	if r.Daemon {
		list = append(list, http.StatusNotImplemented)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
