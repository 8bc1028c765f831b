package api

import "evrun/cmd/api/shape"

// problem is an error for the client.
func problem(status int, detail string) *Problem { return shape.NewProblem(status, detail) }

// unknown is the problem of a name that does not exist.
func unknown(kind, name string, known []string) error { return shape.Unknown(kind, name, known) }
