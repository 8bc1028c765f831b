package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
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

func (s *Server) listUsers(r *http.Request) (any, error) {
	p := parametersOf(r)
	after, limit := p.number("after"), p.limit()
	if p.err != nil {
		return nil, p.err
	}
	users, err := s.o.Store.ListUsers(r.Context(), after, limit)
	return list("users", shaped(users, UserOf)), err
}

func (s *Server) getUser(r *http.Request) (any, error) {
	u, err := s.o.Store.User(r.Context(), r.PathValue("key"))
	return UserOf(u), err
}

// Users returns at most limit users (at most 1,000; 0: 100) with an id greater than after, in order of id.
func (c *Client) Users(ctx context.Context, after int64, limit int) ([]User, error) {
	v := url.Values{}
	setNumber(v, "after", after)
	setNumber(v, "limit", int64(limit))
	list, err := request[struct{ Users []User }](ctx, c, http.MethodGet, "/v1/users?"+v.Encode(), body{})
	return list.Users, err
}

// User returns the user with this e-mail address or id. The error is a *[Problem] with status 404 if it does not exist.
func (c *Client) User(ctx context.Context, key string) (User, error) {
	return request[User](ctx, c, http.MethodGet, "/v1/users/"+segment(key), body{})
}
