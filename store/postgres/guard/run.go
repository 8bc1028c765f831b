package guard

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"evrun/store"
)

// run runs a prepared statement behind a savepoint, in one message, and goes back to it after an error of the server.
func (u *Statements) run(ctx context.Context, limit time.Duration, st *statement, args []any) (r store.Result, err error) {
	values, formats, err := encode(args, st.types)
	if err != nil {
		return r, err
	}
	keep := st.Returns && !st.bounded // until its result was read: it may be too large
	p, place := u.send(ctx, limit, st, values, formats, keep)
	if err := p.Sync(); err != nil {
		return r, errors.Join(err, p.Close())
	}
	var full error // why the result is not taken
	err = results(p, func(i int, rows *pgconn.ResultReader) error {
		if i != place {
			_, err := rows.Close()
			return err
		}
		full = read(rows, st, &r)
		tag, err := rows.Close()
		if !st.Reads {
			r.Changes = tag.RowsAffected()
		}
		return err
	})
	var e *pgconn.PgError
	end := ""
	switch {
	case err != nil && !errors.As(err, &e):
		return store.Result{}, err
	case err != nil || keep && full != nil:
		end = `ROLLBACK TO evrun_user; RELEASE evrun_user`
	case keep:
		end = `RELEASE evrun_user`
	}
	if end != "" {
		if _, ended := u.c.PgConn().Exec(ctx, end).ReadAll(); ended != nil {
			return store.Result{}, ended
		}
	}
	if err == nil {
		err = full
	}
	if err != nil {
		return store.Result{}, err
	}
	return r, nil
}

// send puts a statement into a pipeline, with its savepoint and its time limit, and returns its place there.
func (u *Statements) send(ctx context.Context, limit time.Duration, st *statement, values [][]byte, formats []int16, keep bool) (p *pgconn.Pipeline, place int) {
	p = u.c.PgConn().StartPipeline(ctx)
	plain := func(text string) { p.SendQueryParams(text, nil, nil, nil, nil) }
	plain(`SAVEPOINT evrun_user`)
	if limit > 0 {
		ms := max(2, limit.Milliseconds())
		plain(limits(strconv.FormatInt(ms, 10), strconv.FormatInt(ms/2, 10)))
		place++
	}
	p.SendQueryPrepared(st.name, values, formats, nil)
	if limit > 0 {
		plain(u.usual)
	}
	if !keep {
		plain(`RELEASE evrun_user`)
	}
	return p, place + 1
}

// results reads the answers of a pipeline up to its sync, and returns the first error.
func results(p *pgconn.Pipeline, each func(i int, rows *pgconn.ResultReader) error) (err error) {
	var e *pgconn.PgError
	for i := 0; ; i++ {
		got, failed := p.GetResults()
		if rows, ok := got.(*pgconn.ResultReader); ok && failed == nil {
			failed = each(i, rows)
		}
		if failed != nil && err == nil {
			err = failed
		}
		_, synced := got.(*pgconn.PipelineSync)
		if synced || failed != nil && !errors.As(failed, &e) {
			break
		}
	}
	if closed := p.Close(); err == nil {
		err = closed
	}
	return err
}

func isTooLarge(err error) bool {
	var e *pgproto3.ExceededMaxBodyLenErr
	return errors.As(err, &e)
}

// encode writes the values of parameters as texts, which the server reads as the types that it has found. Bytes are passed as they are.
func encode(args []any, types []uint32) (values [][]byte, formats []int16, err error) {
	values, formats = make([][]byte, len(args)), make([]int16, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case nil:
		case int64:
			values[i] = strconv.AppendInt([]byte{}, a, 10)
		case float64:
			values[i] = strconv.AppendFloat([]byte{}, a, 'g', -1, 64)
		case string:
			values[i] = []byte(a)
		case []byte:
			values[i] = append([]byte{}, a...)
		default:
			return nil, nil, fmt.Errorf("a value of a statement is a %T", a)
		}
		if types[i] == pgtype.ByteaOID && values[i] != nil {
			formats[i] = pgtype.BinaryFormatCode
		}
	}
	return values, formats, nil
}
