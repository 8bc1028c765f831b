package access

import (
	"net/http"
	"net/url"
	"strings"
)

// The length of a token is bounded, so that nobody has long ones hashed.
const maxToken = 256

// Bearer returns the token of a request's header. given says that the request has some credentials; token is empty if they are not exactly one
// header Authorization with the scheme Bearer, one space and a token.
func Bearer(h http.Header) (token string, given bool) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", false
	}
	if len(values) > 1 {
		return "", true
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || !plausible(token) {
		return "", true
	}
	return token, true
}

// plausible reports whether a text has the form of a token (token68 of RFC 9110).
func plausible(token string) bool {
	if token == "" || len(token) > maxToken {
		return false
	}
	for i := range len(token) {
		c := token[i]
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && strings.IndexByte("-._~+/=", c) < 0 {
			return false
		}
	}
	return true
}

// inURL reports whether a URL has a token in it.
func inURL(r *http.Request) bool {
	if r.URL.User != nil {
		return true
	}
	query, _ := url.ParseQuery(r.URL.RawQuery) // of a wrong query, what can be read
	if query.Has("access_token") || query.Has("token") {
		return true
	}
	for _, values := range query {
		for _, v := range values {
			if strings.HasPrefix(v, Prefix) && plausible(v) && len(v) >= len(Prefix)+20 {
				return true
			}
		}
	}
	return false
}
