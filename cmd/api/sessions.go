package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
)

const formType = "application/x-www-form-urlencoded"

// maxSignIn is how long the body of a sign-in may be, in bytes.
const maxSignIn = 8 << 10

// byForm reports whether a browser has sent a form, without a script.
func byForm(r *http.Request) bool {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), formType)
}

// session says who sends the request.
func (s *Server) session(r *http.Request, _ none) (shape.Session, error) {
	return sessionOf(access.From(r.Context())), nil
}

func sessionOf(who *access.Identity) shape.Session {
	return shape.Session{Name: who.Name(), Rights: who.Rights().Texts(), Until: shape.TimeOf(who.Expires()), Browser: who.Browser()}
}

// createLink makes a link that signs a browser in.
func (s *Server) createLink(r *http.Request, ask shape.LinkRequest, _ none) (shape.Link, error) {
	base := s.o.Daemon.URL()
	if who := access.From(r.Context()); !who.Local() { // by the name that this client knows the daemon by
		base = "http://" + r.Host
		if s.secure(r) {
			base = "https://" + r.Host
		}
	}
	link, ok := s.Link(access.From(r.Context()), base, ask.Next)
	if !ok {
		return link, problem(http.StatusConflict, "the daemon has no TCP port, and so no dashboard: write server: {listen: 127.0.0.1:7770} into the wiring file, and restart the daemon: a reload opens no port")
	}
	return link, nil
}

// Link makes a link that signs a browser in as somebody. ok is false without a TCP port.
func (s *Server) Link(who *access.Identity, base, next string) (link shape.Link, ok bool) {
	code, until, ok := s.o.Tokens.Link(who, time.Now())
	if !ok || base == "" {
		return link, false
	}
	link = shape.Link{URL: base + access.SignInPath, Until: until.UTC().Truncate(time.Second)}
	if next = access.Next(next); next != "/" {
		link.URL += "?next=" + url.QueryEscape(next)
	}
	link.URL += "#code=" + code
	return link, true
}

// signIn signs a browser in.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, _ none) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	var ask shape.SignIn
	form := byForm(r)
	if form {
		if err := r.ParseForm(); err != nil {
			return problem(http.StatusBadRequest, "the form can't be read")
		}
		ask = shape.SignIn{Token: r.PostForm.Get("token"), Code: r.PostForm.Get("code"), Next: r.PostForm.Get("next")}
	} else if err := s.readJSON(w, r, &ask); err != nil {
		return err
	}
	cookie, who, no := s.door.SignIn(r, strings.TrimSpace(ask.Token), ask.Code)
	switch {
	case no != nil && form:
		http.Redirect(w, r, access.SignInPath+"?"+url.Values{"failed": {strconv.Itoa(no.Status)}, "next": {access.Next(ask.Next)}}.Encode(), http.StatusSeeOther)
		return nil
	case no != nil:
		return problem(no.Status, no.Detail).After(no.Retry)
	}
	http.SetCookie(w, cookie)
	if form {
		http.Redirect(w, r, access.Next(ask.Next), http.StatusSeeOther)
		return nil
	}
	return writeJSON(w, http.StatusOK, sessionOf(who))
}

// signOut signs a browser out.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request, _ none) error {
	http.SetCookie(w, s.door.SignOut(r))
	if byForm(r) {
		http.Redirect(w, r, access.SignInPath, http.StatusSeeOther)
		return nil
	}
	return writeJSON(w, http.StatusOK, shape.SignedOut{SignedOut: true})
}
