package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"evrun/events"
	"evrun/store"
)

// Departure is the mark of a source.
type Departure struct {
	To    string    `json:"to"`    // in words, without passwords
	Token string    `json:"token"` // of this transfer, which the target has, too
	Since time.Time `json:"since"`
	Done  bool      `json:"done"`
}

// Decode reads a mark as it is stored.
func (d *Departure) Decode(text string) error { return json.Unmarshal([]byte(text), d) }

// Encode is the mark as it is stored.
func (d Departure) Encode() (string, error) {
	text, err := events.MarshalJSON(d)
	return string(text), err
}

// MovedError: the source was moved, to another target.
type MovedError struct{ Departure }

func (e *MovedError) Error() string {
	if e.Done {
		return fmt.Sprintf("it was moved to %s on %s", e.To, e.Since.Format("2006-01-02 15:04"))
	}
	return fmt.Sprintf("it is being moved to %s since %s", e.To, e.Since.Format("2006-01-02 15:04"))
}

// Refusal is why a store with these marks, as they are stored, can't be opened for writing; nil: it can, both are empty.
func Refusal(departure, arrival string) error {
	if arrival != "" {
		return fmt.Errorf("%w: evrun migrate has not yet copied all of it; run it again, or remove what it copied", store.ErrMoved)
	}
	if departure == "" {
		return nil
	}
	var d Departure
	if err := json.Unmarshal([]byte(departure), &d); err != nil {
		return fmt.Errorf("%w: %w", store.ErrMoved, err)
	}
	return fmt.Errorf("%w: %w; evrun migrate --reopen has it go on as it was then", store.ErrMoved, &MovedError{d})
}

// Arrival is how far a transfer came, as the target has it.
type Arrival struct {
	From   string            `json:"from"` // the id of the source
	Token  string            `json:"token"`
	Tables map[string]*State `json:"tables"`
}

// State is how far the transfer of a table came.
type State struct {
	After any   `json:"after,omitempty"` // the key of the last row: a number, or a text in hex
	Rows  int64 `json:"rows"`
	Sum   Sum   `json:"sum"`
	Clean int64 `json:"cleaned,omitempty"` // rows that the target could not store as they were
	Done  bool  `json:"done"`
}

// Decode reads the mark of a target. Numbers stay whole.
func (a *Arrival) Decode(text string) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(a)
}

// Encode is the mark as it is stored.
func (a *Arrival) Encode() (string, error) {
	text, err := events.MarshalJSON(a)
	return string(text), err
}

// Reopen takes the mark of a source away, so that the store can be used again. What was copied so far is of no use then.
func Reopen(ctx context.Context, from Source) (Departure, error) {
	d, err := from.Marked(ctx)
	if err != nil {
		return d, err
	}
	if d.Token == "" {
		return d, errors.New("it was not moved")
	}
	return d, from.Mark(ctx, Departure{})
}
