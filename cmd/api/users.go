package api

import (
	"evrun/cmd/api/shape"
	"net/http"
	"strconv"
)

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
	}{shape.Each(users, shape.UserOf), info}, err
}

func (s *Server) getUser(r *http.Request) (any, error) {
	u, err := s.o.Store.User(r.Context(), r.PathValue("key"))
	return shape.UserOf(u), err
}
