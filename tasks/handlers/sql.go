package handlers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// sql is the kind sql on evrun's own database. With a dsn, [sqlElsewhere] takes its place; with a statement that only reads,
// [sqlReads].
//
// Its result has changes, the number of rows inserted, updated or deleted; rows, what the statement returned, each row a map
// of its columns; and row, the first of them or nil. A whole number, a text and a NULL come back as such, bytes as base64.
type sql struct {
	Statement string                       `key:"statement,required,short" example:"SELECT count(*) AS users FROM users" doc:"One SQL statement. Values come in as parameters, written :name."`
	Params    map[string]*expression.Value `key:"params" doc:"A map of the parameters' values by their names. A list or a map is stored as JSON."`
	Migrate   []string                     `key:"migrate" doc:"Statements that make your own tables. Each runs once, at a start or a reload, where they have 1 s in all; with dsn they run with the first event after each start, so write IF NOT EXISTS."`
	Hold      time.Duration                `key:"hold" min:"0s" doc:"How long the statement may take, where that is more than 50ms. With a SQLite store nobody else can write meanwhile, so that evrun emit waits, and it does not run again until the store was free for as long; with PostgreSQL only what needs the same rows waits, and other statements with hold."`
	DSN       string                       `key:"dsn" doc:"Another SQLite file to run on, relative to this file's directory. Then the statement may run more than once for an event. Left out, it runs on evrun's own database, exactly once; evrun's tables can be read, not written. Their times are microseconds since 1970; in the views events_view and runs_view they are texts such as 2026-12-24T18:00:00.000Z."`

	dir        string
	parse      store.StatementParser // of the store
	parseFiles store.StatementParser // of other files
	statement  *store.Statement
	values     []*expression.Value // of its parameters, in its order
	migrations []*store.Statement
}

// check parses the statements and matches the parameters with the values.
func (s *sql) check() []*fault.Fault {
	read := s.parse
	if s.DSN != "" {
		read = s.parseFiles
	}
	if read == nil {
		return []*fault.Fault{fault.At([]any{"statement"}, "no store is known that runs SQL")}
	}
	var faults []*fault.Fault
	parse := func(text string, path ...any) *store.Statement {
		parsed, err := read(text)
		if err != nil {
			faults = append(faults, fault.Of(err).Within(path...))
		} else if i := strings.Index(text, "${"); i >= 0 { // in a string or a comment, where it would not be evaluated
			faults = append(faults, &fault.Fault{Path: path, Offset: i, Message: "a statement can't have an expression in it",
				Hint: "write :name here, and name: ${ … } under params"})
		}
		return parsed
	}
	for i, text := range s.Migrate {
		m := parse(text, "migrate", i)
		if m != nil && len(m.Params) > 0 {
			faults = append(faults, &fault.Fault{Path: []any{"migrate", i}, Offset: m.Params[0].Offset,
				Message: "a migration has no event to take parameters from", Hint: "write the values out"})
		}
		s.migrations = append(s.migrations, m)
	}
	s.statement = parse(s.Statement, "statement")
	switch {
	case s.statement == nil:
	case s.statement.Defines:
		faults = append(faults, &fault.Fault{Path: []any{"statement"}, Message: s.statement.Verb + " can't run for each event",
			Hint: "list it under migrate, which runs it once; the statement is for each event"})
	default:
		faults = append(faults, s.checkParams()...)
	}
	return slices.Concat(faults, s.checkDSN(), s.checkHold(), s.checkUnstoppable())
}

func (s *sql) checkParams() []*fault.Fault {
	given := slices.Sorted(maps.Keys(s.Params))
	var names []string
	var faults []*fault.Fault
	for _, p := range s.statement.Params {
		name := p.Name
		names = append(names, name)
		if v, ok := s.Params[name]; ok {
			s.values = append(s.values, v)
			continue
		}
		hint := fault.DidYouMean(name, given)
		if hint == "" {
			hint = fmt.Sprintf("add params: {%s: …}", name)
		}
		faults = append(faults, &fault.Fault{Path: []any{"statement"}, Offset: p.Offset,
			Message: fmt.Sprintf("the parameter :%s has no value under params", name), Hint: hint})
	}
	for _, name := range given {
		if slices.Contains(names, name) {
			continue
		}
		hint := fault.DidYouMean(name, names)
		switch {
		case hint != "":
		case len(names) == 0:
			hint = "the statement has no parameters"
		default:
			hint = "it has " + fault.And(names)
		}
		faults = append(faults, &fault.Fault{Path: []any{"params", name}, Key: true, Message: fmt.Sprintf("the statement has no parameter :%s", name), Hint: hint})
	}
	return faults
}

// usualHold is how long a statement may hold the writer by default.
const usualHold = 50 * time.Millisecond

func (s *sql) checkHold() []*fault.Fault {
	wrong := &fault.Fault{Path: []any{"hold"}}
	switch {
	case s.Hold == 0:
		return nil
	case s.DSN != "":
		wrong.Message, wrong.Hint = "hold has no effect on another file", "set the handler's timeout instead"
	case s.statement != nil && s.statement.Reads:
		wrong.Message, wrong.Hint = "hold has no effect on a statement that only reads", "set the handler's timeout instead"
	case s.Hold <= usualHold:
		wrong.Message, wrong.Hint = fmt.Sprintf("every statement may take %v anyway", usualHold), "leave hold out, or make it longer"
	default:
		return nil
	}
	return []*fault.Fault{wrong}
}

// checkUnstoppable refuses statements that can't be interrupted, unless the handler says how long it may hold the store.
func (s *sql) checkUnstoppable() []*fault.Fault {
	if s.statement == nil || s.DSN != "" || s.Hold > 0 || s.statement.Unstoppable == "" {
		return nil
	}
	return []*fault.Fault{fault.At([]any{"statement"}, "%s can't be stopped, and holds the store for as long as it takes", s.statement.Unstoppable).
		Hinting("say how long that may be with the input hold, such as hold: 5s")}
}

func (s *sql) checkDSN() []*fault.Fault {
	wrong := &fault.Fault{Path: []any{"dsn"}}
	switch {
	case s.DSN == "":
		return nil
	case strings.Contains(s.DSN, "://"):
		wrong.Message, wrong.Hint = "only an SQLite file can be named here", "write its path"
	case strings.HasPrefix(s.DSN, "file:") || strings.HasPrefix(s.DSN, ":memory:"):
		wrong.Message, wrong.Hint = fmt.Sprintf("%q is not a valid path", s.DSN), "write the path of the file alone"
	case strings.ContainsRune(s.DSN, 0):
		wrong.Message = "a path can't have a NUL in it"
	case strings.Contains(s.DSN, "${"):
		wrong.Message, wrong.Hint = "a path can't have an expression in it", "each file needs a handler of its own"
	default:
		return nil
	}
	return []*fault.Fault{wrong}
}

// choose returns s, or the action for statements that only read or run on another file.
func (s *sql) choose() tasks.Action {
	if s.DSN == "" && s.statement.Reads {
		return &sqlReads{s: s}
	}
	if s.DSN == "" {
		return s
	}
	path := s.DSN
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	return &sqlElsewhere{s: s, path: path, timeout: elsewhereTimeout}
}

// Migrations implements [tasks.Migrator].
func (s *sql) Migrations() []*store.Statement { return s.migrations }

// UserStatement implements [tasks.Stating].
func (s *sql) UserStatement() (*store.Statement, time.Duration) { return s.statement, s.Hold }

// Prepare evaluates the parameters; the statement runs in the transaction that settles the run.
func (s *sql) Prepare(d *tasks.Delivery) (tasks.Effect, error) {
	args, err := s.args(d)
	if err != nil {
		return tasks.Effect{}, err
	}
	return tasks.Effect{Write: func(tx store.Tx) (any, error) {
		r, err := tx.Exec(s.statement, args)
		return s.result(r, err)
	}}, nil
}

// result makes the kind's result, or marks a permanent error.
func (s *sql) result(r store.Result, err error) (any, error) {
	if errors.Is(err, store.ErrTimeout) && s.DSN == "" && !s.statement.Reads { // in the transaction that settles the run
		return nil, tasks.Permanent(fmt.Errorf("%w, and again at a second try; what it has changed is locked meanwhile, with SQLite the whole store. "+
			"Make it do less for one event, or ask for more time with the input hold: %v", err, 4*max(s.Hold, usualHold)))
	}
	if errors.Is(err, store.ErrStatement) || errors.Is(err, store.ErrConflict) {
		return nil, tasks.Permanent(err)
	}
	if err != nil {
		return nil, err
	}
	result := map[string]any{"changes": r.Changes, "rows": []any{}, "row": nil}
	if !s.statement.Returns {
		return result, nil
	}
	columns := map[string]bool{}
	for _, c := range r.Columns {
		if columns[c] {
			return nil, tasks.Permanent(fmt.Errorf("two columns are named %s; give one another name with AS", fault.Quote(c)))
		}
		columns[c] = true
	}
	rows := make([]any, len(r.Rows))
	for i, values := range r.Rows {
		row := make(map[string]any, len(values))
		for j, v := range values {
			if b, ok := v.([]byte); ok {
				v = base64.StdEncoding.EncodeToString(b)
			}
			row[r.Columns[j]] = v
		}
		rows[i] = row
	}
	if result["rows"] = rows; len(rows) > 0 {
		result["row"] = rows[0]
	}
	return result, nil
}
