package web

import "evrun/cmd/api/access"

var signInPage = page{pattern: "GET " + access.SignInPath, right: access.Open, title: "Sign in", template: "sign-in", load: loadSignIn}

// signingIn is what the page where browsers sign in shows.
type signingIn struct {
	Next   string // where the browser goes afterwards: a path of this server
	Failed string // what was wrong with the last try
}

// failures are why a form did not sign in, by the status in the URL: a text in it could be anybody's.
var failures = map[string]string{
	"401": "The token is not valid: it is unknown, revoked or expired.",
	"409": "Nobody can sign in: the daemon has no TCP port.",
	"429": "Too many wrong tokens came from this address: try again later.",
}

func loadSignIn(q *request) (any, error) {
	if q.who.Browser() && q.query.Has("ask") { // else a link with a code would lead on with it, and not be used
		return nil, elsewhere(access.Next(q.query.Get("next")))
	}
	return signingIn{Next: access.Next(q.query.Get("next")), Failed: failures[q.query.Get("failed")]}, nil
}
