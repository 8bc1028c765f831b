package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/events"
)

var (
	usersPage = page{pattern: "GET /users", right: access.Read, nav: "users", title: "Users", template: "users", load: loadUsers}
	userPage  = page{pattern: "GET /users/{key}", right: access.Read, nav: "users", title: "User", template: "user", load: loadUser}
)

const usersShown = 50

// userList is a page of the users, or of those that are searched.
type userList struct {
	found[api.User]
	Exact *api.User // whose id or address the search is, in letters
}

// Enough reports whether the page is full, so that what comes next is another page and not more of the search.
func (l userList) Enough() bool { return len(l.Items) >= usersShown }

func loadUsers(q *request) (any, error) {
	var list userList
	text := strings.TrimSpace(q.query.Get("search"))
	if text != "" && q.query.Get("after") == "" {
		u, err := q.api.User(q.Context(), text)
		var p *api.Problem
		switch {
		case err == nil:
			list.Exact = &u
		case !errors.As(err, &p) || p.Status != http.StatusNotFound:
			return nil, err
		}
	}
	var err error
	list.found, err = searched(q, usersShown, func(p api.Paging) ([]api.User, api.PageInfo, error) {
		if text != "" {
			return q.api.SearchUsers(q.Context(), text, p)
		}
		return q.api.Users(q.Context(), p)
	})
	return list, err
}

// user is a user with the event that made it.
type user struct {
	api.User
	Made       *events.Event // nil: it was imported, or its event is gone
	Attributes []member
}

// member is a member of an object.
type member struct{ Name, Value string }

func loadUser(q *request) (any, error) {
	u, err := q.api.User(q.Context(), q.PathValue("key"))
	if err != nil {
		return nil, err
	}
	q.title = u.Name
	shown := user{User: u, Attributes: membersOf(u.Attributes)}
	if u.EventID == "" {
		return shown, nil
	}
	e, err := q.api.EventByID(q.Context(), u.EventID)
	var p *api.Problem
	switch {
	case err == nil:
		shown.Made = e
	case !errors.As(err, &p) || p.Status != http.StatusNotFound && p.Status != http.StatusConflict:
		return nil, err
	}
	return shown, nil
}

// Where is the condition of events whose data has the user's address.
func (u user) Where() string { return "data.email == " + strconv.Quote(u.Email) }

// membersOf are the members of a JSON object in its order, texts without quotes.
func membersOf(raw json.RawMessage) (list []member) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return list
		}
		text := string(value)
		var plain string
		if json.Unmarshal(value, &plain) == nil && strings.HasPrefix(text, `"`) {
			text = plain
		}
		key, _ := name.(string)
		list = append(list, member{key, text})
	}
	return list
}
