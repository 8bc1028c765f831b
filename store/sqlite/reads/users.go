package reads

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"evrun/events"
	"evrun/store"
	"evrun/store/sqlite/conn"
	"evrun/store/sqlite/schema"
)

const userColumns = `id, name, email, attributes, created_at, event_id`

func scanUser(row interface{ Scan(...any) error }) (store.User, error) {
	var u store.User
	var attributes sql.NullString
	var created int64
	if err := row.Scan(&u.ID, &u.Name, &u.Email, &attributes, &created, &u.EventID); err != nil {
		return u, conn.Translate(err)
	}
	if attributes.Valid {
		u.Attributes = []byte(attributes.String)
	}
	u.CreatedAt = schema.Time(created)
	return u, nil
}

// User implements [store.Users].
func (r *Reader) User(ctx context.Context, key string) (store.User, error) {
	query, arg := `SELECT `+userColumns+` FROM users WHERE email = ?`, any(key)
	if id, err := strconv.ParseInt(key, 10, 64); err == nil {
		query, arg = `SELECT `+userColumns+` FROM users WHERE id = ?`, id
	}
	u, err := scanUser(r.db.QueryRowContext(ctx, query, arg))
	if conn.NoRows(err) {
		err = store.ErrNotFound
	}
	if err != nil {
		return u, fmt.Errorf("user %q: %w", key, err)
	}
	return u, nil
}

// ListUsers implements [store.Users].
func (r *Reader) ListUsers(ctx context.Context, after int64, limit int) ([]store.User, error) {
	if limit <= 0 {
		limit = 1000
	}
	rows, err := r.db.QueryContext(ctx, `SELECT `+userColumns+` FROM users WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", conn.Translate(err))
	}
	defer rows.Close()
	var users []store.User
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		users = append(users, u)
	}
	return users, conn.Translate(rows.Err())
}

// SearchUsers implements [store.Users]. No index helps: it reads a range of the table.
func (r *Reader) SearchUsers(ctx context.Context, after int64, holding [][]string, limit, look int) (part store.Part[store.User], err error) {
	var newest int64
	if err := r.db.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM users`).Scan(&newest); err != nil {
		return part, fmt.Errorf("search users: %w", conn.Translate(err))
	}
	until := min(after+int64(look), max(newest, after))
	query, args := `SELECT `+userColumns+` FROM users WHERE id > ? AND id <= ?`, []any{after, until}
	for _, texts := range holding {
		var either []string
		for _, text := range texts {
			either = append(either, `instr(lower(name), ?) > 0 OR instr(lower(email), ?) > 0`)
			args = append(args, text, text)
		}
		query += ` AND (` + strings.Join(either, ` OR `) + `)`
	}
	rows, err := r.db.QueryContext(ctx, query+` ORDER BY id LIMIT ?`, append(args, limit)...)
	if err != nil {
		return part, fmt.Errorf("search users: %w", conn.Translate(err))
	}
	defer rows.Close()
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return part, fmt.Errorf("search users: %w", err)
		}
		part.Items = append(part.Items, u)
	}
	part.Reached = until
	if len(part.Items) == limit {
		part.Reached = part.Items[limit-1].ID
	}
	part.Passed = part.Reached - after
	part.Looked, part.Left, part.End = int(part.Passed), max(newest-part.Reached, 0), part.Reached >= newest
	return part, conn.Translate(rows.Err())
}

// CountUsers implements [store.Users].
func (r *Reader) CountUsers(ctx context.Context) (n int64, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT count(*) FROM users`).Scan(&n)
	return n, conn.Translate(err)
}

// UsersOf returns the ids of the users that each of these events has inserted, or whose e-mail address is its subject. It reads all users. A user has the
// id of its event, which events of other sources may have, too: then it is the event whose run ended when the user was inserted, or whose data has the
// address.
func (r *Reader) UsersOf(ctx context.Context, sequences []int64) (map[int64][]int64, error) {
	list, err := events.MarshalJSON(sequences)
	if err != nil {
		return nil, err
	}
	rows, err := r.db.QueryContext(ctx, `WITH chosen AS MATERIALIZED (SELECT sequence, id, subject FROM events WHERE sequence IN (SELECT value FROM json_each(?)))
		SELECT c.sequence, u.id FROM users u JOIN chosen c ON c.id = u.event_id JOIN events e ON e.sequence = c.sequence
			WHERE u.created_at >= e.accepted_at AND NOT EXISTS (SELECT 1 FROM events o WHERE o.id = c.id AND o.sequence <> c.sequence)
			OR EXISTS (SELECT 1 FROM runs r WHERE r.sequence = c.sequence AND r.finished_at = u.created_at)
			OR instr(lower(CAST(e.data AS TEXT)), lower(u.email)) > 0
		UNION SELECT c.sequence, u.id FROM chosen c CROSS JOIN users u ON u.email = c.subject`, string(list))
	if err != nil {
		return nil, fmt.Errorf("find the users of events: %w", conn.Translate(err))
	}
	defer rows.Close()
	found := map[int64][]int64{}
	for rows.Next() {
		var sequence, id int64
		if err := rows.Scan(&sequence, &id); err != nil {
			return nil, conn.Translate(err)
		}
		found[sequence] = append(found[sequence], id)
	}
	return found, conn.Translate(rows.Err())
}
