package reads

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/schema"
)

const userColumns = `u.id, u.name, u.email, u.attributes, u.created_at, u.event_id`

func scanUser(rows pgx.Rows) (u store.User, err error) {
	var created int64
	err = rows.Scan(&u.ID, &u.Name, &u.Email, &u.Attributes, &created, &u.EventID)
	u.CreatedAt = schema.Time(created)
	return u, err
}

// User implements [store.Users].
func (r *Reader) User(ctx context.Context, key string) (store.User, error) {
	where, arg := `lower(u.email COLLATE "C") = lower($1::text COLLATE "C")`, any(key)
	if id, err := strconv.ParseInt(key, 10, 64); err == nil {
		where, arg = `u.id = $1`, id
	}
	found, err := list(ctx, r, scanUser, `SELECT `+userColumns+` FROM evrun.users u WHERE `+where, arg)
	if err == nil && len(found) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.User{}, fmt.Errorf("user %q: %w", key, err)
	}
	return found[0], nil
}

// ListUsers implements [store.Users].
func (r *Reader) ListUsers(ctx context.Context, after int64, limit int) ([]store.User, error) {
	users, err := list(ctx, r, scanUser, `SELECT `+userColumns+` FROM evrun.users u WHERE u.id > $1 ORDER BY u.id LIMIT $2`, after, orDefault(limit, 1000))
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// SearchUsers implements [store.Users]. No index helps: it reads a range of the table.
func (r *Reader) SearchUsers(ctx context.Context, after int64, holding [][]string, limit, look int) (part store.Part[store.User], err error) {
	var newest int64
	if err := r.row(ctx, []any{&newest}, `SELECT coalesce(max(id), 0) FROM evrun.users`); err != nil {
		return part, fmt.Errorf("search users: %w", err)
	}
	until := min(after+int64(look), max(newest, after))
	var where condition
	where.add(`u.id > ?`, after)
	where.add(`u.id <= ?`, until)
	for _, texts := range holding {
		var either []string
		var values []any
		for _, text := range texts {
			either = append(either, `strpos(lower(u.name COLLATE "C"), ?) > 0 OR strpos(lower(u.email COLLATE "C"), ?) > 0`)
			values = append(values, text, text)
		}
		where.add(`(`+strings.Join(either, ` OR `)+`)`, values...)
	}
	query, args := numbered(`SELECT `+userColumns+` FROM evrun.users u`+where.where()+` ORDER BY u.id LIMIT ?`, append(where.args, limit))
	if part.Items, err = list(ctx, r, scanUser, query, args...); err != nil {
		return part, fmt.Errorf("search users: %w", err)
	}
	part.Reached = until
	if len(part.Items) == limit {
		part.Reached = part.Items[limit-1].ID
	}
	part.Passed = part.Reached - after
	part.Looked, part.Left, part.End = int(part.Passed), max(newest-part.Reached, 0), part.Reached >= newest
	return part, nil
}

// CountUsers implements [store.Users].
func (r *Reader) CountUsers(ctx context.Context) (n int64, err error) {
	if err := r.row(ctx, []any{&n}, `SELECT count(*) FROM evrun.users`); err != nil {
		return 0, fmt.Errorf("count users: %w", err)
	}
	return n, nil
}
