package store

import (
	"fmt"
	"strconv"
	"strings"
)

// RunID names a run: the event's sequence, the handler under whose name it began, and the database, as in
// "42-save-user-k3f9x2q7". It is the run's idempotency key, so it must differ between databases, and stays when another
// handler takes the run over.
func RunID(sequence int64, handler, storeID string) string {
	return strconv.FormatInt(sequence, 10) + "-" + handler + "-" + storeID
}

// ParseRunID reads back what [RunID] made. The error is [ErrNotFound]: no run can have such an id.
func ParseRunID(id string) (sequence int64, handler, storeID string, err error) {
	head, rest, ok := strings.Cut(id, "-")
	i := strings.LastIndexByte(rest, '-')
	sequence, perr := strconv.ParseInt(head, 10, 64)
	if !ok || i < 1 || perr != nil || sequence < 1 {
		return 0, "", "", fmt.Errorf("run %q: %w (a run id looks like 42-save-user-k3f9x2q7)", id, ErrNotFound)
	}
	return sequence, rest[:i], rest[i+1:], nil
}

// JoinedID is the id of the run that joined r's event to its own; empty if no run did.
func (r *Run) JoinedID() string {
	if r.Joined == 0 {
		return ""
	}
	return strings.Replace(r.ID, strconv.FormatInt(r.Sequence, 10), strconv.FormatInt(r.Joined, 10), 1)
}
