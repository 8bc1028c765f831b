package api

import (
	"net/http"

	"evrun/cmd/api/shape"
)

// problem is an error for the client.
func problem(status int, detail string) *Problem { return shape.NewProblem(status, detail) }

// unknown is the problem of a name that does not exist.
func unknown(kind, name string, known []string) error { return shape.Unknown(kind, name, known) }

// broken answers a request whose handler panicked.
func broken(w http.ResponseWriter) {
	problem(http.StatusInternalServerError, "a fault of evrun: its log has more").Write(w)
}
