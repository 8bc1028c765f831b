package output

import "evrun/cmd/api"

// Users are the columns of a list of users.
func Users() []Column[api.User] {
	return []Column[api.User]{
		{Title: "ID", Text: func(u api.User) any { return u.ID }},
		{Title: "NAME", Text: func(u api.User) any { return u.Name }, Rank: 1},
		{Title: "EMAIL", Text: func(u api.User) any { return u.Email }, Least: 24},
		{Title: "CREATED", Text: func(u api.User) any { return Ago(u.CreatedAt) }, Rank: 1},
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
	t.Value("id", u.ID)
	t.Value("name", u.Name)
	t.Value("email", u.Email)
	t.Value("attributes", attributes)
	t.Value("created", u.CreatedAt)
	t.Value("event", u.EventID)
	return t.Flush()
}
