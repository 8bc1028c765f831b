package output

import (
	"time"

	"evrun/cmd/api"
)

// Users are the columns of a list of users.
func Users() []Column[api.User] {
	return []Column[api.User]{
		{Title: "ID", Text: func(u api.User) any { return u.ID }},
		{Title: "NAME", Text: func(u api.User) any { return u.Name }},
		{Title: "EMAIL", Text: func(u api.User) any { return u.Email }},
		{Title: "CREATED", Text: func(u api.User) any { return u.CreatedAt.Format(time.RFC3339) }, Time: true},
	}
}

// User writes one user.
func (p *Printer) User(u api.User) error {
	if p.JSON {
		return p.Object(u)
	}
	attributes := "none"
	if u.Attributes != nil {
		attributes = string(u.Attributes)
	}
	t := p.Table()
	t.Row("id", u.ID)
	t.Row("name", u.Name)
	t.Row("email", u.Email)
	t.Row("attributes", attributes)
	t.Row("created", u.CreatedAt.Format(time.RFC3339))
	t.Row("event", u.EventID)
	return t.Flush()
}
