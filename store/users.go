package store

import (
	"context"
	"time"
)

// UserInsert inserts a user as the effect of a settlement.
type UserInsert struct {
	User User // the store sets ID, and CreatedAt if it is zero
	On   OnConflict
	// Then gets the stored user, or why it was not stored: [ErrConflict] if a user with this e-mail address exists, unless On says otherwise. It returns
	// the settlement's outcome. If that isn't Succeeded, nothing is inserted or updated, and the ID may go to another user or to none. Then is called
	// inside the transaction, after those of the settlements before it. It must not block, and may be called again if the transaction must be repeated.
	Then func(u User, err error) Outcome
}

// OnConflict is how a [UserInsert] handles an e-mail address that already exists.
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

// Imported is what became of a user in [Users.ImportUsers].
type Imported struct {
	User    User // as it is stored now
	New     bool
	Updated bool  // the e-mail address already existed, and name and attributes were replaced
	Err     error // it was not stored
}

// Users has the users. Those that handlers insert are effects of settlements.
type Users interface {
	// ImportUsers stores users in one transaction, one after the other. The store sets their ids, and CreatedAt where it is zero. A user whose e-mail
	// address already exists is kept as it is, or updated, as on says; with Fail its Err is [ErrConflict], and the others are stored.
	ImportUsers(ctx context.Context, users []User, on OnConflict) ([]Imported, error)
	// User finds a user by e-mail address, or by id if key is a decimal number; [ErrNotFound] if there is none.
	User(ctx context.Context, key string) (User, error)
	// ListUsers returns users with an id greater than after, in order of id; limit 0: 1,000.
	ListUsers(ctx context.Context, after int64, limit int) ([]User, error)
	// SearchUsers looks at the users with an id greater than after, in order of id, but not further than look ids. It returns those whose name or e-mail
	// address has one of the texts of each list in it, whatever the case of ASCII letters; the texts are in lower case. limit is at least 1.
	SearchUsers(ctx context.Context, after int64, holding [][]string, limit, look int) (Part[User], error)
	// CountUsers counts them.
	CountUsers(ctx context.Context) (int64, error)
}
