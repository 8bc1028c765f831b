package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/rows"
	"evrun/store/sqlite/schema"
)

// userRows is how users are inserted.
type userRows struct {
	groups
	list   []int            // reused
	values []driver.Value   // reused
	ids    [groupRows]int64 // of the last group
}

const maxGroupedUser = 4096 // bytes, as maxGroupedEvent

// insertGroupOfUsers are the statements for users without attributes, and with them. SQLite chooses the ids. If the statement gave
// them, SQLite would keep a journal of the pages that it changes, even with OR FAIL, because an id might turn out not to be an integer; and the
// index of e-mail addresses, which come in no order, changes many pages.
var insertGroupOfUsers = [2]string{
	rows.Insert("INSERT OR FAIL", "users", userInsertColumns[:4], groupRows),
	rows.Insert("INSERT OR FAIL", "users", userInsertColumns, groupRows),
}

var userInsertColumns = []rows.Column{{Name: "created_at", Shared: true}, {Name: "name"}, {Name: "email"}, {Name: "event_id"}, {Name: "attributes"}}

// userRow is what became of a user to insert.
type userRow struct {
	store.User
	err error       // it was not inserted
	was *store.User // the row before it was changed; nil: it was not changed
	new bool        // the row was inserted
}

// insertUsers inserts the users of the settlements that are not fenced off, as if one after the other, and sets their outcomes. A user whose e-mail
// address already exists goes by itself, after all before it have their outcomes: one of these may have taken its user back.
func (t *txn) insertUsers(list []store.Settlement, settled []store.Settled) error {
	r := &t.w.userRows
	r.list = r.list[:0]
	for i := range list {
		if list[i].Insert != nil && !settled[i].Fenced {
			r.list = append(r.list, i)
		}
	}
	ended := func(i int, u userRow) (err error) {
		settled[i].Outcome, err = t.then(&list[i], u)
		return err
	}
	for rest := r.list; len(rest) > 0; {
		taken := r.nextFitting(len(rest), func(j int) bool { return userSize(&list[rest[j]].Insert.User) <= maxGroupedUser })
		if taken == 1 {
			u, err := t.insertUser(list[rest[0]].Insert)
			if err == nil {
				err = ended(rest[0], u)
			}
			if err != nil {
				return err
			}
			rest = rest[1:]
			continue
		}
		n, err := t.insertUserGroup(list, rest[:taken])
		if err != nil {
			return err
		}
		for j, i := range rest[:n] {
			u := userRow{User: list[i].Insert.User, new: true}
			u.ID, u.CreatedAt = r.ids[j], schema.Time(t.now)
			if err := ended(i, u); err != nil {
				return err
			}
		}
		if n < taken {
			r.exists()
		}
		rest = rest[n:]
	}
	return nil
}

func userSize(u *store.User) int {
	return len(u.Name) + len(u.Email) + len(u.Attributes) + len(u.EventID)
}

// insertUserGroup inserts the users of the settlements with these indices, and sets ids. It returns how many were inserted.
func (t *txn) insertUserGroup(list []store.Settlement, indices []int) (n int, err error) {
	r := &t.w.userRows
	with := 0
	for _, i := range indices {
		if list[i].Insert.User.Attributes != nil {
			with = 1
		}
	}
	insert, err := t.w.prepared(insertGroupOfUsers[with])
	if err != nil {
		return 0, err
	}
	r.values = append(r.values[:0], t.now)
	for _, i := range indices {
		u := &list[i].Insert.User
		r.values = append(r.values, u.Name, u.Email, u.EventID)
		if with == 1 {
			r.values = append(r.values, textOrNull(u.Attributes))
		}
	}
	if n, err = t.insertGroup(insert, r.values); n == 0 || err != nil {
		return n, err
	}
	var last [1]driver.Value
	if err := t.w.stmt.lastID.QueryRow(last[:]); err != nil {
		return n, t.check(err)
	}
	first := t.nextUser
	t.nextUser = last[0].(int64) + 1
	for j := range n {
		r.ids[j] = first + int64(j)
	}
	if first+int64(n) == t.nextUser {
		return n, nil
	}
	// The last user was taken back, or another program has written users. Behind the largest possible id, SQLite chooses any free ones.
	for j, i := range indices[:n] {
		u, err := t.findUser(list[i].Insert.User.Email)
		if err != nil {
			return n, t.check(err)
		}
		r.ids[j] = u.ID
	}
	return n, nil
}

// insertUser inserts one user, and does what is said about an e-mail address that already exists. An error concerns the whole transaction.
func (t *txn) insertUser(in *store.UserInsert) (u userRow, err error) {
	u = userRow{User: in.User}
	created := t.now
	if !u.CreatedAt.IsZero() {
		created = schema.Micros(u.CreatedAt)
	}
	u.CreatedAt = schema.Time(created)
	id, err := t.w.stmt.insertUser.Insert(u.Name, u.Email, textOrNull(u.Attributes), created, u.EventID)
	switch {
	case err == nil:
		u.ID, u.new = id, true
		t.nextUser = id + 1
		return u, nil
	case conn.Aborts(err):
		return u, t.check(err)
	case !errors.Is(err, store.ErrConflict):
		u.err = err
		return u, nil
	}
	t.w.userRows.exists()
	if in.On == store.Fail {
		u.err = err
		return u, nil
	}
	known, err := t.findUser(u.Email)
	if err != nil {
		return u, t.check(fmt.Errorf("find user %q: %w", u.Email, err))
	}
	if u.User = known; in.On == store.Update {
		u.was = &known
		u.Name, u.Attributes = in.User.Name, in.User.Attributes
		if err := t.updateUser(&u.User); err != nil {
			return u, err
		}
	}
	return u, nil
}

// ImportUsers implements [store.Users].
func (s *Store) ImportUsers(ctx context.Context, users []store.User, on store.OnConflict) (done []store.Imported, err error) {
	size := 0
	for i := range users {
		size += userSize(&users[i])
	}
	err = s.w.submit(ctx, newOp(1+len(users), size, func(t *txn) error {
		done = make([]store.Imported, 0, len(users))
		for i := range users {
			u, err := t.insertUser(&store.UserInsert{User: users[i], On: on})
			if err != nil {
				return err
			}
			done = append(done, store.Imported{User: u.User, New: u.new, Updated: u.was != nil, Err: u.err})
		}
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("import users: %w", err)
	}
	return done, nil
}

func (t *txn) findUser(email string) (u store.User, err error) {
	var row [6]driver.Value
	if err := t.w.stmt.findUser.QueryRow(row[:], email); err != nil {
		return u, err
	}
	u = store.User{ID: row[0].(int64), Name: row[1].(string), Email: row[2].(string), CreatedAt: schema.Time(row[4].(int64)), EventID: row[5].(string)}
	if text, ok := row[3].(string); ok {
		u.Attributes = []byte(text)
	}
	return u, nil
}

func (t *txn) updateUser(u *store.User) error {
	if _, err := t.w.stmt.updateUser.Exec(u.ID, u.Name, textOrNull(u.Attributes)); err != nil {
		return t.check(fmt.Errorf("update user %d: %w", u.ID, err))
	}
	return nil
}

// then asks for the outcome of a settlement with a user. If it isn't a success, the user is as before, and the run's row is corrected.
func (t *txn) then(s *store.Settlement, u userRow) (out store.Outcome, err error) {
	if u.err != nil {
		u.err = fmt.Errorf("insert user: %w", u.err)
	}
	if out = s.Insert.Then(u.User, u.err); out.State == store.Succeeded {
		return out, nil
	}
	switch {
	case u.new:
		_, err = t.w.stmt.deleteUser.Exec(u.ID)
	case u.was != nil:
		err = t.updateUser(u.was)
	}
	if err != nil {
		return out, err
	}
	return out, t.correct(s, out)
}

// textOrNull stores nil as NULL.
func textOrNull(text []byte) any {
	if text == nil {
		return nil
	}
	return string(text)
}
