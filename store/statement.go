package store

import "context"

// Statement is one SQL statement of a user, as a [StatementParser] has understood it. It must not be changed. A store keeps
// what it compiles of a Statement by its address: parse once, and use it again.
type Statement struct {
	Text    string  // as it was written, without the semicolon and without comments around it
	Key     string  // the same for statements that differ only in white space and comments
	Verb    string  // SELECT, VALUES, INSERT, REPLACE, UPDATE, DELETE, CREATE, ALTER or DROP
	Params  []Param // in order of first appearance
	Reads   bool    // it changes nothing: SELECT, VALUES
	Defines bool    // it changes the schema: CREATE, ALTER, DROP
	Returns bool    // it can return rows: it reads, or has a RETURNING
	// Unstoppable names a part of it that runs to its end once it has begun, whatever time the statement has; empty: it has none.
	Unstoppable string
}

// Param is a parameter of a [Statement].
type Param struct {
	Name   string // without the colon
	Offset int    // where it first stands in the text that was parsed, in bytes
}

// StatementParser reads the text of a statement in a driver's dialect of SQL. An error says where and why the text is refused: it has a
// method Fault() (offset int, message, hint string), the offset in bytes.
//
// A store does not rely on the parser that its statements come from. It refuses by itself what may not run.
type StatementParser func(text string) (*Statement, error)

// Statements runs user statements beside the writer.
type Statements interface {
	// Read runs a statement that only reads ([Statement.Reads]): it sees what is committed at some moment after the call began. It is
	// stopped when ctx ends or, when ctx has no deadline, after 5 s: [ErrTimeout]. Few run at a time, and others wait. Values and
	// errors are as in [Tx.Exec].
	Read(ctx context.Context, s *Statement, args []any) (Result, error)
}

// Result is what a statement returned.
type Result struct {
	Columns []string
	// Rows have nil, int64, float64, string or []byte in each column. A text in a column that was declared as DATE, DATETIME
	// or TIMESTAMP and that is a time comes as RFC 3339, a mere day as that.
	Rows    [][]any
	Changes int64 // rows inserted, updated or deleted, without what triggers and foreign keys did
}

// What a statement may return at most. More is an [ErrStatement].
const (
	MaxRows        = 1000
	MaxResultBytes = 1 << 20 // of all values together
)

// Database is a user database, beside the store. Safe for concurrent use: one statement runs at a time.
type Database interface {
	// Exec runs a statement as a transaction of its own, as [Tx.Exec] does. When ctx ends, the statement is stopped and
	// nothing of it is written.
	Exec(ctx context.Context, s *Statement, args []any) (Result, error)
	// Migrate runs statements, all in one transaction, each time it is called.
	Migrate(ctx context.Context, statements []*Statement) error
	Close() error
}
