package postgres

import (
	"fmt"

	"evrun/store"
	"evrun/store/postgres/conn"
	"evrun/store/postgres/schema"
	"evrun/store/postgres/wire"
)

// insertNewUsers fails if a user's e-mail address exists. Its rows are in the order of the users.
const (
	insertNewUsers = `INSERT INTO evrun.users (name, email, attributes, created_at, event_id)
		SELECT v.name, v.email, v.attributes, v.created, v.event
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS v(name, email, attributes, created, event) RETURNING id`
	insertUsers = `INSERT INTO evrun.users (name, email, attributes, created_at, event_id)
		SELECT v.name, v.email, v.attributes, v.created, v.event
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) AS v(name, email, attributes, created, event)
		ON CONFLICT (lower(email COLLATE "C")) DO NOTHING RETURNING id, email`
	knownUsers = `SELECT id, name, email, attributes, created_at, event_id FROM evrun.users WHERE lower(email COLLATE "C") = ANY($1::text[]) FOR UPDATE`
	updateUser = `UPDATE evrun.users SET name = $2::text, attributes = $3::text WHERE id = $1::bigint`
	deleteUser = `DELETE FROM evrun.users WHERE id = $1::bigint`
)

// maxEmail is the longest e-mail address that the index takes, in bytes.
const maxEmail = 2000

// userChanges are changes of users that are yet to be sent.
type userChanges struct {
	updated []store.User
	deleted []int64 // inserted, and then taken back
}

func (c *userChanges) add(m *wire.Message) {
	for _, u := range c.updated {
		m.Add(updateUser, wire.Int8(u.ID), wire.Text(u.Name), textOrNull(u.Attributes))
	}
	for _, id := range c.deleted {
		m.Add(deleteUser, wire.Int8(id))
	}
}

func textOrNull(text []byte) wire.Value {
	if text == nil {
		return nil
	}
	return wire.Value(text)
}

// insertUsers inserts the users of entries whose rows were written, as if one after the other, and sets their outcomes. Those with different e-mail
// addresses go together: what becomes of one does not depend on the others.
func (x *work) insertUsers(list []entry) error {
	var group []*entry
	emails := map[string]bool{}
	flush := func() error {
		err := x.insertUserGroup(group)
		group, emails = group[:0], map[string]bool{}
		return err
	}
	for i := range list {
		e := &list[i]
		if !e.ok || e.s == nil || e.s.Insert == nil {
			continue
		}
		email := asciiLower(e.s.Insert.User.Email)
		if emails[email] {
			if err := flush(); err != nil {
				return err
			}
		}
		emails[email] = true
		group = append(group, e)
	}
	return flush()
}

func (x *work) insertUserGroup(group []*entry) error {
	if len(group) == 0 {
		return nil
	}
	m := x.corrections()
	x.addUsers(m, insertUsers, group)
	results, err := x.send(m)
	if err != nil {
		return err
	}
	r := &results[len(results)-1]
	ids := make(map[string]int64, len(r.Rows))
	for row := range r.Rows {
		ids[r.Text(row, 1)] = r.Int(row, 0)
	}
	known, err := x.knownUsers(group, ids)
	if err != nil {
		return err
	}
	for _, e := range group {
		x.then(e, ids[e.s.Insert.User.Email], known)
	}
	return nil
}

// addUsers adds a statement that inserts the users of entries, but for those that are refused.
func (x *work) addUsers(m *wire.Message, query string, group []*entry) {
	var texts [4]*wire.Array
	for i := range texts {
		texts[i] = wire.NewArray(wire.Texts, 32*len(group))
	}
	created := wire.NewArray(wire.Bigint, 12*len(group))
	for _, e := range group {
		u := &e.s.Insert.User
		if refused(u) != nil {
			continue
		}
		texts[0].Text(u.Name)
		texts[1].Text(u.Email)
		texts[2].BytesOrNull(u.Attributes)
		texts[3].Text(u.EventID)
		created.Int8(x.createdAt(u))
	}
	m.Add(query, texts[0].Value(), texts[1].Value(), texts[2].Value(), created.Value(), texts[3].Value())
}

// refused says why a user can't be stored, or nil.
func refused(u *store.User) error {
	switch {
	case !schema.IsText(u.Name) || !schema.IsText(u.Email) || !schema.IsText(string(u.Attributes)) || !schema.IsText(u.EventID):
		return fmt.Errorf("insert user: %w: PostgreSQL stores no text with a zero byte, or that is not UTF-8", store.ErrStatement)
	case len(u.Email) > maxEmail:
		return fmt.Errorf("insert user: %w: the e-mail address has more than %d bytes", store.ErrStatement, maxEmail)
	}
	return nil
}

func (x *work) createdAt(u *store.User) int64 {
	if u.CreatedAt.IsZero() {
		return x.now
	}
	return schema.Micros(u.CreatedAt)
}

// knownUsers reads the users that are in the way of those without ids, by their e-mail addresses in lower case.
func (x *work) knownUsers(group []*entry, ids map[string]int64) (map[string]store.User, error) {
	emails := wire.NewArray(wire.Texts, 0)
	for _, e := range group {
		u := &e.s.Insert.User
		if _, inserted := ids[u.Email]; !inserted && e.s.Insert.On != store.Fail && refused(u) == nil {
			emails.Text(asciiLower(u.Email))
		}
	}
	if emails.Len() == 0 {
		return nil, nil
	}
	m := &wire.Message{}
	m.Add(knownUsers, emails.Value())
	results, err := x.send(m)
	if err != nil {
		return nil, err
	}
	r := &results[0]
	known := make(map[string]store.User, len(r.Rows))
	for row, values := range r.Rows {
		u := store.User{ID: r.Int(row, 0), Name: r.Text(row, 1), Email: r.Text(row, 2), Attributes: values[3], CreatedAt: schema.Time(r.Int(row, 4)),
			EventID: r.Text(row, 5)}
		known[asciiLower(u.Email)] = u
	}
	if len(known) < emails.Len() {
		return nil, fmt.Errorf("%w: a user was deleted", conn.ErrHindered)
	}
	return known, nil
}

// then asks for the outcome of a settlement with a user, which was inserted with an id, or else is in the way of one that is known. If it isn't a success,
// the user is as before.
func (x *work) then(e *entry, id int64, known map[string]store.User) {
	in := e.s.Insert
	u := in.User
	u.CreatedAt = schema.Time(x.createdAt(&u))
	inserted := id != 0
	old, exists := known[asciiLower(u.Email)]
	err := refused(&u)
	switch {
	case err != nil:
	case inserted:
		u.ID = id
	case in.On == store.Fail || !exists:
		err = fmt.Errorf("insert user: %w", store.ErrConflict)
	case in.On == store.Ignore:
		u = old
	case in.On == store.Update:
		u = old
		u.Name, u.Attributes = in.User.Name, in.User.Attributes
	}
	e.out = in.Then(u, err)
	switch {
	case e.out.State != store.Succeeded && inserted:
		x.users.deleted = append(x.users.deleted, id)
	case e.out.State == store.Succeeded && !inserted && exists && in.On == store.Update:
		x.users.updated = append(x.users.updated, u)
	}
}
