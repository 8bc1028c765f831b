package store

import "context"

// Statement is one SQL statement of a user, parsed by a [StatementParser]. It must not be changed. A store caches compiled statements by the address
// of the Statement: parse once and reuse the result.
type Statement struct {
	Text    string  // as it was written, without the semicolon and without comments around it
	Key     string  // the same for statements that differ only in white space and comments
	Verb    string  // SELECT, VALUES, INSERT, REPLACE, UPDATE, DELETE, CREATE, ALTER or DROP
	Params  []Param // in order of first appearance
	Reads   bool    // it changes nothing: SELECT, VALUES
	Defines bool    // it changes the schema: CREATE, ALTER, DROP
	Returns bool    // it can return rows: it reads, or has a RETURNING
	// Unstoppable names a part of the statement that no time limit can stop once it has begun; empty: none.
	Unstoppable string
}

// Param is a parameter of a [Statement].
type Param struct {
	Name   string // without the colon
	Offset int    // offset of its first use in the parsed text, in bytes
}

// StatementParser reads the text of a statement in a driver's dialect of SQL. An error says where and why the text is refused: it has a
// method Fault() (offset int, message, hint string), the offset in bytes.
//
// A store does not rely on the parser: it checks each statement itself and refuses those that may not run.
type StatementParser func(text string) (*Statement, error)

// Statements runs user statements beside the writer.
type Statements interface {
	// Read runs a statement that only reads ([Statement.Reads]): it sees what is committed at some moment after the call began. It is
	// stopped when ctx ends or, when ctx has no deadline, after 5 s: [ErrTimeout]. Few run at a time, and others wait. Values and
	// errors are as in [Tx.Exec].
	Read(ctx context.Context, s *Statement, args []any) (Result, error)
}

// Result is the result of a statement.
type Result struct {
	Columns []string
	// Rows have nil, int64, float64, string or []byte in each column. In a column declared as DATE, DATETIME or TIMESTAMP, a text that is a time
	// comes in RFC 3339 format, and a date without a time as a date.
	Rows    [][]any
	Changes int64 // rows inserted, updated or deleted by the statement itself, not by triggers or foreign keys
}

// The limits of a statement's result. A larger result is an [ErrStatement].
const (
	MaxRows        = 1000
	MaxResultBytes = 1 << 20 // of all values together
)

// Database is a user database, beside the store. Safe for concurrent use: one statement runs at a time.
type Database interface {
	// Exec runs a statement in its own transaction, with the values and errors of [Tx.Exec]. When ctx ends, the statement is stopped and has written
	// nothing.
	Exec(ctx context.Context, s *Statement, args []any) (Result, error)
	// Migrate runs statements, all in one transaction, each time it is called.
	Migrate(ctx context.Context, statements []*Statement) error
	Close() error
}

// ParseError is a fault in the text of a statement, as a [StatementParser] finds it.
type ParseError struct {
	Offset int // in bytes
	Msg    string
	Hint   string
}

// Error gives the message and the hint.
func (e *ParseError) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Hint
}

// Fault gives the parts of the error.
func (e *ParseError) Fault() (offset int, message, hint string) { return e.Offset, e.Msg, e.Hint }
