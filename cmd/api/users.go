package api

import (
	"evrun/cmd/api/shape"
	"net/http"
	"strconv"
)

type usersQuery struct {
	After int `key:"after" min:"0" doc:"The next of the page before."`
	sized
}

// listUsers answers with a page of the users, in the order they came.
func (s *Server) listUsers(r *http.Request, q usersQuery) (list shape.UserList, err error) {
	limit := min(q.Limit, maxPage)
	users, err := s.o.Store.ListUsers(r.Context(), int64(q.After), limit+1)
	if len(users) > limit {
		users = users[:limit]
		list.Next = strconv.FormatInt(users[limit-1].ID, 10)
	}
	list.Scanned = int64(len(users))
	list.Users = shape.Each(users, shape.UserOf)
	return list, err
}

func (s *Server) getUser(r *http.Request, _ none) (User, error) {
	u, err := s.o.Store.User(r.Context(), r.PathValue("key"))
	return shape.UserOf(u), err
}
