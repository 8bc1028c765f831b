package api

import (
	"net/http"
	"strconv"

	"evrun/cmd/api/shape"
	"evrun/tasks/search"
)

type usersQuery struct {
	After  int    `key:"after" min:"0" doc:"The next of the page before."`
	Search string `key:"search" doc:"Only users whose name or e-mail address has each of these words in it, in any case. Each user is looked at: of a million, in about a second, on several pages."`
	sized
}

// listUsers answers with a page of the users, in the order they came.
func (s *Server) listUsers(r *http.Request, q usersQuery) (list shape.UserList, err error) {
	limit := min(q.Limit, maxPage)
	if q.Search != "" {
		page, err := search.Users(r.Context(), s.o.Store, q.Search, int64(q.After), limit)
		return shape.UserList{Users: shape.Each(page.Items, shape.UserOf), PageInfo: shape.PageInfoOf(page)}, err
	}
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
