package api

import (
	"net/http"
	"strconv"

	"evrun/cmd/api/export"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
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

type exportQuery struct {
	Format      string `key:"format" enum:"csv,ndjson" default:"csv" doc:"CSV with a header, or a user a line."`
	Spreadsheet bool   `key:"spreadsheet" doc:"With CSV: a ' before what a spreadsheet would take as a formula. Such a file is for looking, not for an import."`
	Search      string `key:"search" doc:"As in the list of users."`
}

// exportUsers writes all users, or those that are searched, page by page.
func (s *Server) exportUsers(w http.ResponseWriter, r *http.Request, q exportQuery) error {
	write, flush := func(u *User) error { return events.WriteJSON(w, u) }, func() error { return nil }
	w.Header().Set("Content-Type", ndjson.Type)
	if q.Format == "csv" {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		file, err := export.NewCSV(w, 0, q.Spreadsheet)
		if err != nil {
			return err
		}
		write, flush = file.Write, file.Flush
	}
	w.Header().Set("Content-Disposition", `attachment; filename="users.`+q.Format+`"`)
	for after := int64(0); ; {
		page, err := search.Users(r.Context(), s.o.Store, q.Search, after, maxPage)
		if err != nil {
			return err
		}
		for _, u := range page.Items {
			shown := shape.UserOf(u)
			if err := write(&shown); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return flush()
		}
		after, _ = strconv.ParseInt(page.Next, 10, 64) // of the search
	}
}
