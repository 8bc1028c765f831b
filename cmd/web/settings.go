package web

import (
	"cmp"
	"slices"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
)

var settingsPage = page{pattern: "GET /settings", right: access.Any, nav: "settings", title: "Settings", template: "settings", load: loadSettings}

// settings are who looks at the page, and as much of the daemon as that allows.
type settings struct {
	Session api.Session
	Status  *api.Status         // nil: no right to it
	Tokens  []api.Token         // nil: no right to them
	Found   []shape.CheckResult // the worst first; nil: no right to it
	Worst   shape.Level
}

func loadSettings(q *request) (any, error) {
	session, err := q.api.Session(q.Context())
	s := settings{Session: session}
	if err == nil && q.who.May(access.Read) {
		var status api.Status
		status, err = q.api.Status(q.Context())
		s.Status = &status
	}
	if err == nil && q.who.May(access.Admin) {
		s.Tokens, err = q.api.Tokens(q.Context())
	}
	if err == nil && q.who.May(access.Operate) {
		s.Found, err = q.api.Doctor(q.Context())
		badness := []shape.Level{shape.Error, shape.Warning, shape.OK}
		slices.SortStableFunc(s.Found, func(a, b shape.CheckResult) int {
			return cmp.Compare(slices.Index(badness, a.Level), slices.Index(badness, b.Level))
		})
		if len(s.Found) > 0 {
			s.Worst = s.Found[0].Level
		}
	}
	return s, err
}
