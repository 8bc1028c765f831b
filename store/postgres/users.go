package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/schema"
)

// importUser stores a user, or finds the one that has its e-mail address. A row that another transaction has just added is not found: there is no row.
const importUser = `WITH new AS (
		INSERT INTO evrun.users (name, email, attributes, created_at, event_id) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (lower(email COLLATE "C")) DO NOTHING RETURNING id, name, email, attributes, created_at, event_id)
	SELECT true, new.* FROM new UNION ALL
	SELECT false, id, name, email, attributes, created_at, event_id FROM evrun.users
	WHERE lower(email COLLATE "C") = lower($2 COLLATE "C") AND NOT EXISTS (SELECT FROM new)`

// importOrUpdateUser stores a user, or gives its name and attributes to the one that has its e-mail address.
const importOrUpdateUser = `INSERT INTO evrun.users (name, email, attributes, created_at, event_id) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (lower(email COLLATE "C")) DO UPDATE SET name = excluded.name, attributes = excluded.attributes
	RETURNING xmax = 0, id, name, email, attributes, created_at, event_id`

// ImportUsers implements [store.Users].
func (s *Store) ImportUsers(ctx context.Context, users []store.User, on store.OnConflict) (done []store.Imported, err error) {
	err = s.change(ctx, func(t *txn) (err error) {
		done, err = t.importUsers(users, on)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("import users: %w", err)
	}
	return done, nil
}

func (t *txn) importUsers(users []store.User, on store.OnConflict) ([]store.Imported, error) {
	query := importUser
	if on == store.Update {
		query = importOrUpdateUser
	}
	done := make([]store.Imported, len(users))
	b := &pgx.Batch{}
	for i := range users {
		u := &users[i]
		if done[i] = (store.Imported{User: *u}); !schema.IsText(u.Name) || !schema.IsText(u.Email) || !schema.IsText(u.EventID) {
			done[i].Err = fmt.Errorf("%w: PostgreSQL stores no text with a zero byte, or that is not UTF-8", store.ErrStatement)
			continue
		}
		created := t.now
		if !u.CreatedAt.IsZero() {
			created = schema.Micros(u.CreatedAt)
		}
		b.Queue(query, u.Name, u.Email, attributesOf(u), created, u.EventID).QueryRow(func(row pgx.Row) error {
			err := scanImported(row, &done[i], on)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil // looked for below
			}
			return err
		})
	}
	if err := t.tx.SendBatch(t.ctx, b).Close(); err != nil {
		return nil, err
	}
	for i := range done {
		if done[i].Err != nil || done[i].User.ID != 0 {
			continue
		}
		row := t.row(`SELECT false, id, name, email, attributes, created_at, event_id FROM evrun.users WHERE lower(email COLLATE "C") = lower($1 COLLATE "C")`,
			users[i].Email)
		if err := scanImported(row, &done[i], on); err != nil {
			return nil, fmt.Errorf("find user %q: %w", users[i].Email, err)
		}
	}
	return done, nil
}

func scanImported(row pgx.Row, done *store.Imported, on store.OnConflict) error {
	var (
		u          store.User
		fresh      bool
		attributes *string
		created    int64
	)
	if err := row.Scan(&fresh, &u.ID, &u.Name, &u.Email, &attributes, &created, &u.EventID); err != nil {
		return err
	}
	if !fresh && on == store.Fail {
		done.Err = fmt.Errorf("user %q: %w", u.Email, store.ErrConflict)
		return nil
	}
	u.CreatedAt = schema.Time(created)
	if attributes != nil {
		u.Attributes = []byte(*attributes)
	}
	done.User, done.New, done.Updated = u, fresh, !fresh && on == store.Update
	return nil
}

// attributesOf are a user's attributes as they are stored: nil as NULL.
func attributesOf(u *store.User) any {
	if u.Attributes == nil {
		return nil
	}
	return string(u.Attributes)
}
