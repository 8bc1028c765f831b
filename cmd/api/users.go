package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"evrun/store"
)

// User is a stored user.
type User struct {
	ID         int64           `json:"id"`
	Name       string          `json:"name"`
	Email      string          `json:"email"`
	Attributes json.RawMessage `json:"attributes,omitempty"`
	CreatedAt  time.Time       `json:"created_at"`
	EventID    string          `json:"event_id"`
}

// UserOf returns the shape of a stored user.
func UserOf(u store.User) User {
	return User{ID: u.ID, Name: u.Name, Email: u.Email, Attributes: u.Attributes, CreatedAt: u.CreatedAt.UTC(), EventID: u.EventID}
}

// listUsers answers with a page of the users, in the order they came.
func (s *Server) listUsers(r *http.Request) (any, error) {
	p := parametersOf(r)
	after, limit := p.number("after"), p.limit()
	if p.err != nil {
		return nil, p.err
	}
	users, err := s.o.Store.ListUsers(r.Context(), after, limit+1)
	var info PageInfo
	if len(users) > limit {
		users = users[:limit]
		info.Next = strconv.FormatInt(users[limit-1].ID, 10)
	}
	info.Scanned = int64(len(users))
	return struct {
		Users []User `json:"users"`
		PageInfo
	}{shaped(users, UserOf), info}, err
}

func (s *Server) getUser(r *http.Request) (any, error) {
	u, err := s.o.Store.User(r.Context(), r.PathValue("key"))
	return UserOf(u), err
}
