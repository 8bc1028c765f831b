// Package transfer copies a whole store into another kind of store, so that its user goes on there: evrun migrate.
//
// All of it is copied as it is: the journal, the handlers with their marks, runs, attempts and outputs, users, schedules, tokens, batches, what was pruned
// and the keys of it. The id of the store stays, so that the ids of runs keep their meaning. What daemons have among themselves (nodes, slots, leases) and
// the statements of migrate that have run are not copied. Tables of the user's own are copied where they are named.
//
// The drivers read and write rows; this package says which, in what order, and checks them. A copy goes on where it was interrupted: each transaction of
// the target also stores how far it came, in the mark. Nobody writes to the source meanwhile, which keeps a mark, too: after a transfer it can't be opened
// for writing, so that nothing is accepted where it would be lost. At the end every table is read from the target once more, and must have the same
// rows, by their number and the sum of their hashes.
//
// One goroutine reads while the caller's writes.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Row is a row of a table: nil, int64, float64, string or []byte in each column.
type Row = []any

// Rows are rows, or the error that ended them. A row belongs to who gets it.
type Rows = iter.Seq2[Row, error]

// Reader reads a store.
type Reader interface {
	// Rows returns a table's rows in the order of their keys, from behind a key on; nil: all. A table without a Key has no order.
	Rows(ctx context.Context, t *Table, after any) Rows
	// Head is the last sequence that the journal has given.
	Head(ctx context.Context) (int64, error)
	// Own returns the tables of the user's own, with their columns and the number of their rows.
	Own(ctx context.Context) ([]Table, error)
	// Count returns about how many rows a table has.
	Count(ctx context.Context, t *Table) (int64, error)
	Close() error
}

// Source is a store that is copied. Nobody else can write to it until it is closed.
type Source interface {
	Reader
	ID() string
	// Marked returns what Mark has stored, or the zero value.
	Marked(ctx context.Context) (Departure, error)
	// Mark stores that the store is left, or was. From then on it can't be opened for writing.
	Mark(ctx context.Context, d Departure) error
}

// Target is a store that is filled. Nobody else can open it until Finish.
type Target interface {
	Reader
	// Arrival returns what the last transaction has stored, or nil if the target is empty.
	Arrival(ctx context.Context) (*Arrival, error)
	// Arrived returns the token of the transfer that has ended here; empty: none has.
	Arrived(ctx context.Context) (token string, err error)
	// Begin makes an empty store, and stores a.
	Begin(ctx context.Context, a *Arrival) error
	// Clean changes what the target can't store as it is, and reports whether it did.
	Clean(t *Table, row Row) bool
	// Put writes the rows of a part and then stores a, in one transaction. a changes while the rows are read. A part of a table without a key, or of one of the user's own, replaces all rows of it.
	Put(ctx context.Context, t *Table, part iter.Seq2[[]Row, error], a *Arrival) error
	// Create makes a table of the user's own, unless it exists. It returns the table as it is there: its columns are those of t, but may have other kinds.
	// The error is [ErrNotEmpty] if it has rows, unless again is set.
	Create(ctx context.Context, t *Table, again bool) (Table, error)
	// Finish ends the transfer: from then on the target is a store like any other, with this head and the id that it came from.
	Finish(ctx context.Context, a *Arrival, head int64) error
}

// Errors of transfers.
var (
	ErrNotEmpty = errors.New("it is not empty")
	ErrOther    = errors.New("it has part of another transfer")
	ErrDiffers  = errors.New("the copy differs from what was copied")
	ErrColumns  = errors.New("its columns are others")
)

// Kind says what a column has.
type Kind int8

// The kinds.
const (
	Int Kind = iota + 1
	Float
	Text
	Bytes
	Any   // text or bytes: the data of an event, or a column of the user's that is not declared
	Other // of the user's: the target converts it, so that it can't be compared
)

// Column is a column of a table.
type Column struct {
	Name string
	Kind Kind
	Type string // of the user's: as its store declares it
	Key  int    // its place in the primary key, from 1; 0: it isn't in it
}

// Table is a table that is copied.
type Table struct {
	Name    string
	Columns []Column
	Keyed   bool  // its rows are in the order of the first column, and are copied in parts
	Own     bool  // of the user's own
	Rows    int64 // of the user's own: how many
}

// String is the table's name.
func (t *Table) String() string { return t.Name }

// Comparable reports whether the rows are the same values in both stores.
func (t *Table) Comparable() bool {
	for _, c := range t.Columns {
		if c.Kind == Other {
			return false
		}
	}
	return true
}

// Keys are the names of the columns of the primary key, in its order.
func (t *Table) Keys() []string {
	var list []Column
	for _, c := range t.Columns {
		if c.Key > 0 {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Column) int { return a.Key - b.Key })
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return names
}

// As is how a table is read and written where it has the columns of there: those of t, in their order, with the names that they have there. Where the kind of
// one is another, it is converted. The error is [ErrColumns] if there are not the same ones, whatever the case of their names.
func (t *Table) As(there *Table) (Table, error) {
	as := *t
	as.Name, as.Columns = there.Name, nil
	for _, c := range t.Columns {
		i := slices.IndexFunc(there.Columns, func(o Column) bool { return strings.EqualFold(o.Name, c.Name) })
		if i < 0 {
			return as, fmt.Errorf("%w: it has no %s", ErrColumns, c.Name)
		}
		is := there.Columns[i]
		if is.Kind != c.Kind {
			is.Kind = Other
		}
		as.Columns = append(as.Columns, is)
	}
	return as, nil
}

func columns(kind Kind, names ...string) (list []Column) {
	for _, n := range names {
		list = append(list, Column{Name: n, Kind: kind})
	}
	return list
}

func table(name string, keyed bool, parts ...[]Column) Table {
	t := Table{Name: name, Keyed: keyed}
	for _, p := range parts {
		t.Columns = append(t.Columns, p...)
	}
	return t
}

// Tables are evrun's own tables, as both drivers name them, but for the few that a driver makes itself. Numbers of handlers' shares, the mark of a handler
// among them, are in the column low_water of handlers.
var Tables = []Table{
	table("meta", false, columns(Text, "key", "value")),
	table("handlers", false, columns(Int, "id"), columns(Text, "name"), columns(Int, "low_water", "active"), columns(Text, "patterns"),
		columns(Int, "since", "left_at", "left_head", "paused", "heir"), columns(Text, "predecessors", "paused_by", "paused_why"), columns(Int, "paused_at", "disabled_at")),
	table("conditions", false, columns(Int, "id"), columns(Text, "text")),
	table("schedules", false, columns(Text, "name"), columns(Int, "since", "slot", "fired"), columns(Text, "timing"), columns(Int, "paused")),
	table("tokens", false, columns(Text, "name"), columns(Bytes, "hash"), columns(Text, "rights", "rate", "actor"), columns(Int, "created_at", "expires_at")),
	table("batches", false, columns(Text, "id", "action", "details", "actor"), columns(Int, "total"), columns(Text, "cursor"),
		columns(Int, "done", "changed", "started_at", "changed_at", "ended_at")),
	table("pruning", false, columns(Int, "id", "old", "announced_at", "scanned", "chains", "events", "runs", "bytes", "keys", "pruned_at")),
	table("pruning_lost", false, columns(Int, "handler", "events", "runs")),
	table("pruned_keys", true, columns(Bytes, "key"), columns(Int, "sequence", "pruned_at")),
	table("users", true, columns(Int, "id"), columns(Text, "name", "email", "attributes"), columns(Int, "created_at"), columns(Text, "event_id")),
	table("events", true, columns(Int, "sequence"), columns(Text, "id", "source", "type"), columns(Int, "time", "accepted_at"),
		columns(Text, "subject", "datacontenttype", "dataschema"), columns(Any, "data"), columns(Text, "correlationid", "causationid"), columns(Int, "hops"),
		columns(Text, "extensions"), columns(Int, "chain", "cause")),
	table("runs", true, columns(Int, "sequence", "handler", "state", "attempt", "budget", "started_at", "finished_at", "next_attempt_at"),
		columns(Text, "error", "reason"), columns(Int, "joined", "began_as", "condition")),
	table("attempts", true, columns(Int, "sequence", "handler", "attempt", "started_at", "finished_at"), columns(Text, "error")),
	table("run_outputs", true, columns(Int, "sequence", "handler", "attempt", "state", "started_at", "finished_at"), columns(Text, "layout", "text")),
}

// OtherMeta are the keys of meta that are not copied: each store has its own.
var OtherMeta = []string{"id", "head", "version", DepartureKey, ArrivalKey, ArrivedKey}

// The keys in meta of the marks.
const (
	DepartureKey = "moved"
	ArrivalKey   = "moving"
	ArrivedKey   = "moved_here"
)
