package shape

import "net/http"

// Routed answers requests without a route with problem details, too. All others go to mux.
func Routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := unrouted{header: http.Header{}}
		h.ServeHTTP(&answer, r)
		switch answer.status {
		case http.StatusNotFound:
			NewProblem(http.StatusNotFound, "no such path: "+r.URL.Path).Write(w)
		case http.StatusMethodNotAllowed:
			allow := answer.header.Get("Allow")
			w.Header().Set("Allow", allow)
			NewProblem(http.StatusMethodNotAllowed, r.Method+" is not allowed for "+r.URL.Path+"; allowed: "+allow).Write(w)
		default: // a path that is not clean: a redirect
			h.ServeHTTP(w, r)
		}
	})
}

// unrouted records the status and the headers of an answer.
type unrouted struct {
	header http.Header
	status int
}

func (u *unrouted) Header() http.Header         { return u.header }
func (u *unrouted) WriteHeader(status int)      { u.status = status }
func (u *unrouted) Write(p []byte) (int, error) { return len(p), nil }
