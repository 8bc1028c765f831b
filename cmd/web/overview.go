package web

import (
	"evrun/cmd/api"
	"evrun/cmd/api/access"
)

var overviewPage = page{pattern: "GET /{$}", right: access.Read, nav: "overview", title: "Overview", template: "overview", load: loadOverview}

// overview is what is going on.
type overview struct {
	Status api.Status
}

func loadOverview(q *request) (any, error) {
	status, err := q.api.Status(q.Context())
	return overview{status}, err
}
