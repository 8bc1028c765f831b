package store

import (
	"context"
	"time"
)

// OnConflict is how InsertUser handles an e-mail address that already exists.
type OnConflict int8

// The ways to handle a conflict.
const (
	Fail   OnConflict = iota // ErrConflict
	Ignore                   // keep the stored user and return it
	Update                   // replace name and attributes
)

// User is a stored user.
type User struct {
	ID         int64
	Name       string
	Email      string // unique, whatever the case of its letters
	Attributes []byte // a JSON object, or nil
	CreatedAt  time.Time
	EventID    string // the event that created the user
}

// Users reads the users.
type Users interface {
	// User finds a user by e-mail address, or by id if key is a decimal number; [ErrNotFound] if there is none.
	User(ctx context.Context, key string) (User, error)
	// ListUsers returns users with an id greater than after, in order of id; limit 0: 1,000.
	ListUsers(ctx context.Context, after int64, limit int) ([]User, error)
	// CountUsers counts them.
	CountUsers(ctx context.Context) (int64, error)
}
