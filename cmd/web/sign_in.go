package web

import (
	"evrun/cmd/api/access"
)

var signInPage = page{pattern: "GET " + access.SignInPath, right: access.Open, title: "Sign in", template: "sign-in", load: loadSignIn}

// signingIn is what the page where browsers sign in shows.
type signingIn struct {
	Next   string // where the browser goes afterwards: a path of this server
	Failed string // what was wrong with the last try
}

func loadSignIn(q *request) (any, error) {
	return signingIn{Next: access.Next(q.query.Get("next")), Failed: q.query.Get("failed")}, nil
}
