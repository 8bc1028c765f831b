package shape

import (
	"encoding/json"
	"time"

	"evrun/store"
)

// User is a stored user.
type User struct {
	ID         int64           `json:"id"`
	Name       string          `json:"name"`
	Email      string          `json:"email"`
	Attributes json.RawMessage `json:"attributes,omitempty"`
	CreatedAt  time.Time       `json:"created_at"`
	EventID    string          `json:"event_id"`
}

// UserOf returns the shape of a stored user.
func UserOf(u store.User) User {
	return User{ID: u.ID, Name: u.Name, Email: u.Email, Attributes: u.Attributes, CreatedAt: u.CreatedAt.UTC(), EventID: u.EventID}
}

// ImportedUser answers a line of an import.
type ImportedUser struct {
	UserID int64  `json:"user_id"`
	Email  string `json:"email"`
	Result string `json:"result"` // inserted, updated, or kept: the e-mail address already existed
}
