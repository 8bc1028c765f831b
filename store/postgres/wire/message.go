package wire

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Conn is a connection with the statements that were prepared on it.
type Conn struct {
	*pgx.Conn
	prepared map[string]*pgconn.StatementDescription
}

// New makes a Conn of a connection.
func New(c *pgx.Conn) *Conn {
	return &Conn{Conn: c, prepared: map[string]*pgconn.StatementDescription{}}
}

// Message is statements that are sent together.
type Message struct {
	list []statement
}

type statement struct {
	query  string
	params []any
}

// Add adds a statement. Its text is prepared once on each connection: it must be one of a bounded number. A parameter that is a [Value] is sent as it is,
// and its type must be clear: $1::bigint. Others are encoded as the server wants them.
func (m *Message) Add(query string, params ...any) { m.list = append(m.list, statement{query, params}) }

// AddAll adds the statements of another message.
func (m *Message) AddAll(other *Message) { m.list = append(m.list, other.list...) }

// Query is the text of a statement.
func (m *Message) Query(i int) string { return m.list[i].query }

// Params are the parameters of a statement.
func (m *Message) Params(i int) []any { return m.list[i].params }

// Reset removes all statements.
func (m *Message) Reset() { m.list = m.list[:0] }

// Len is the number of statements.
func (m *Message) Len() int { return len(m.list) }

// Result is the result of a statement. The values of its rows are in the text format; nil is NULL.
type Result struct {
	Rows     [][][]byte
	Affected int64
}

// Int is a number in the result.
func (r *Result) Int(row, column int) int64 {
	n, _ := strconv.ParseInt(string(r.Rows[row][column]), 10, 64) // the query says that it is one
	return n
}

// Text is a text in the result; NULL is empty.
func (r *Result) Text(row, column int) string { return string(r.Rows[row][column]) }

// StatementError is the error of one statement of a message. Nothing of the message was done, but for what was committed within it.
type StatementError struct {
	Index int // of the statement
	Err   error
}

// Error implements error.
func (e *StatementError) Error() string { return fmt.Sprintf("statement %d: %v", e.Index+1, e.Err) }

// Unwrap returns the server's error.
func (e *StatementError) Unwrap() error { return e.Err }

var binaryFormat, textFormat = []int16{1}, []int16{0}

// answerWithin is how long a message waits for its answer. A connection that breaks is noticed earlier; one may also hang, behind a proxy that keeps it open.
const answerWithin = 20 * time.Second

// Send sends the message and returns the results of its statements. A [StatementError] says that the server has refused one. With another error the
// connection is closed, and it is not known what was done, unless sent is false: then the server has not seen the message.
func (c *Conn) Send(ctx context.Context, m *Message) (results []Result, sent bool, err error) {
	values := make([][][]byte, len(m.list))
	for i := range m.list {
		if values[i], err = c.prepare(ctx, &m.list[i]); err != nil {
			return nil, false, err
		}
	}
	hangs := time.AfterFunc(answerWithin, func() { _ = c.PgConn().Conn().Close() }) // which ends what reads from it
	defer hangs.Stop()
	p := c.PgConn().StartPipeline(ctx)
	for i := range m.list {
		p.SendQueryStatement(c.prepared[m.list[i].query], values[i], binaryFormat, textFormat)
	}
	if err := p.Sync(); err != nil {
		c.abandon(p)
		return nil, true, err
	}
	results = make([]Result, 0, len(m.list))
	for range m.list {
		r, rerr := read(p)
		if rerr != nil {
			refused := refusal(rerr)
			if refused == nil {
				c.abandon(p)
				return nil, true, rerr
			}
			err = &StatementError{len(results), refused}
			break // the server has skipped the others
		}
		results = append(results, r)
	}
	// The answer to the end of the message: by then it is committed.
	if cerr := p.Close(); cerr != nil && err == nil {
		if refused := refusal(cerr); refused != nil {
			return nil, true, &StatementError{len(m.list) - 1, refused}
		}
		c.abandon(p)
		return nil, true, cerr
	}
	if err != nil {
		return nil, true, err
	}
	return results, true, nil
}

// prepare prepares a statement and encodes its parameters.
func (c *Conn) prepare(ctx context.Context, s *statement) (values [][]byte, err error) {
	d := c.prepared[s.query]
	if d == nil {
		if d, err = c.PgConn().Prepare(ctx, "evrun"+strconv.Itoa(len(c.prepared)), s.query, nil); err != nil {
			return nil, fmt.Errorf("prepare %.60q: %w", s.query, err)
		}
		c.prepared[s.query] = d
	}
	if len(d.ParamOIDs) != len(s.params) {
		return nil, fmt.Errorf("%.60q has %d parameters", s.query, len(d.ParamOIDs))
	}
	values = make([][]byte, len(s.params))
	for i, p := range s.params {
		if v, ok := p.(Value); ok {
			values[i] = v
		} else if values[i], err = c.TypeMap().Encode(d.ParamOIDs[i], pgx.BinaryFormatCode, p, []byte{}); err != nil {
			return nil, fmt.Errorf("%.60q: parameter %d: %w", s.query, i+1, err)
		}
	}
	return values, nil
}

func read(p *pgconn.Pipeline) (r Result, err error) {
	got, err := p.GetResults()
	if err != nil {
		return r, err
	}
	rows, ok := got.(*pgconn.ResultReader)
	if !ok {
		return r, fmt.Errorf("the server answers with a %T", got)
	}
	for rows.NextRow() {
		values := rows.Values()
		row := make([][]byte, len(values))
		for i, v := range values {
			if v != nil {
				row[i] = append([]byte{}, v...)
			}
		}
		r.Rows = append(r.Rows, row)
	}
	tag, err := rows.Close()
	r.Affected = tag.RowsAffected()
	return r, err
}

// refusal is an error with which the server ends a transaction and not the session, or nil.
func refusal(err error) *pgconn.PgError {
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Severity == "FATAL" || e.Severity == "PANIC" {
		return nil
	}
	return e
}

// abandon closes the connection at once.
func (c *Conn) abandon(p *pgconn.Pipeline) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.PgConn().Close(ctx) // it is of no use any more
	_ = p.Close()
}
