package api

import (
	"net/http"
	"reflect"
	"sync"

	"evrun/cmd/api/openapi"
)

// Document describes the API as OpenAPI 3.1.
func Document(version string, operations []openapi.Operation) map[string]any {
	info := openapi.Info{Title: "evrun", Version: version,
		Description: "Publish events and read, follow and change what is stored. Clients of the unix socket need no token. Every error is a problem as RFC 9457 describes it; 429, 503 and 507 mean: try again."}
	for _, o := range operations {
		if n := len(info.Tags); n == 0 || info.Tags[n-1] != o.Tag {
			info.Tags = append(info.Tags, o.Tag)
		}
	}
	return openapi.Document(info, operations, reflect.TypeFor[Problem]())
}

// description makes the document once, when it is asked for.
func description(version string) func() map[string]any {
	return sync.OnceValue(func() map[string]any { return Document(version, Operations()) })
}

func (s *Server) describe(*http.Request, none) (map[string]any, error) { return s.description(), nil }
