package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"evrun/cmd/api/limits"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/users"
)

// The pages of an import: so many lines, or bytes, are one transaction.
const (
	importRows  = 500
	importBytes = 1 << 20
)

type importQuery struct {
	On   string `key:"on" enum:"ignore,update" default:"ignore" doc:"What happens to a user whose address exists: ignore keeps it, update replaces name and attributes."`
	Line int    `key:"line" min:"0" doc:"The number of the first line; 1 unless given."`
}

// importUsers stores users, one a line of NDJSON. Each line is answered by one, in the same order: an [ImportedUser], or a problem with the number of
// the line. A line that is refused does not stop the others; a failure of the store is the last answer, and nothing from its line on was stored.
// ?on=update replaces name and attributes where the e-mail address already exists, ?line= is the number of the first line. No events are published
// but that of the audit trail, at the end.
func (s *Server) importUsers(w http.ResponseWriter, r *http.Request, q importQuery) error {
	if err := sentAs(r, ndjson.Type); err != nil {
		return err
	}
	on := store.Ignore
	if q.On == "update" {
		on = store.Update
	}
	release, err := s.lines.take()
	if err != nil {
		return err
	}
	defer release()
	out := http.NewResponseController(w)
	if err := out.EnableFullDuplex(); err != nil { // answers are sent while lines are received
		return err
	}
	body := &limits.Lines{Body: r.Body, Control: out}
	stop := context.AfterFunc(s.closing, body.Interrupt)
	defer stop()
	w.Header().Set("Content-Type", ndjson.Type)
	w.Header().Set("Connection", "close")
	m := &userImport{server: s, on: on, out: w, flush: out.Flush, count: map[string]int{}}
	if err := m.run(r.Context(), body, max(q.Line, 1)); err != nil {
		last := errDraining // the client is gone, or the server is closing
		var failed *Problem
		if errors.As(err, &failed) {
			last = failed
		}
		_ = events.WriteJSON(w, last)
	}
	return m.audit(context.WithoutCancel(r.Context()))
}

// userImport is a running import.
type userImport struct {
	server *Server
	on     store.OnConflict
	out    io.Writer
	flush  func() error
	count  map[string]int // by the result of a line

	users   []store.User
	answers []any // of the page: a *Problem, or nil for the next user
	first   int   // the number of the page's first line
	bytes   int
}

// run reads lines, and stores them page by page: whenever no other line has arrived, or a page is full.
func (m *userImport) run(ctx context.Context, body io.Reader, number int) error {
	longest := ndjson.MaxLine(m.server.o.MaxData)
	lines := ndjson.NewReader(body, longest)
	for ; ; number++ {
		text, tooLong, err := lines.Next()
		switch {
		case errors.Is(err, io.EOF):
			return m.store(ctx)
		case err != nil:
			return errors.Join(m.store(ctx), err)
		case !tooLong && ndjson.Blank(text):
		case tooLong:
			m.add(number, shape.LineTooLong(longest))
		default:
			u, err := users.Decode(text)
			if err != nil {
				m.add(number, problem(http.StatusBadRequest, err.Error()))
				break
			}
			m.users = append(m.users, u)
			m.bytes += len(text)
			m.add(number, nil)
		}
		if len(m.answers) >= importRows || m.bytes >= importBytes || !lines.Waiting() {
			if err := m.store(ctx); err != nil {
				return err
			}
		}
	}
}

// add adds a line to the page.
func (m *userImport) add(number int, refused *Problem) {
	if len(m.answers) == 0 {
		m.first = number
	}
	if refused != nil {
		refused.Line = number
		m.answers = append(m.answers, refused)
		return
	}
	m.answers = append(m.answers, nil)
}

// store stores the page, and answers its lines.
func (m *userImport) store(ctx context.Context) error {
	if len(m.answers) == 0 {
		return nil
	}
	defer func() { m.users, m.answers, m.bytes = nil, m.answers[:0], 0 }()
	var done []store.Imported
	err := m.refused()
	if err == nil && len(m.users) > 0 {
		done, err = m.server.o.Store.ImportUsers(ctx, m.users, m.on)
	}
	if err != nil {
		p := *shape.ProblemOf(err)
		p.Line = m.first
		return &p
	}
	var text bytes.Buffer
	for _, answer := range m.answers {
		result := "refused"
		if answer == nil {
			answer, result = answerOf(done[0])
			done = done[1:]
		}
		m.count[result]++
		if err := events.WriteJSON(&text, answer); err != nil {
			return err
		}
	}
	if _, err := m.out.Write(text.Bytes()); err != nil {
		return err
	}
	return m.flush()
}

// refused says why nothing is stored any more; nil: it is.
func (m *userImport) refused() error {
	if m.server.draining.Load() {
		return errDraining
	}
	return nil
}

func answerOf(u store.Imported) (answer any, result string) {
	switch {
	case u.Err != nil:
		return shape.ProblemOf(u.Err), "refused"
	case u.New:
		result = "inserted"
	case u.Updated:
		result = "updated"
	default:
		result = "kept"
	}
	return ImportedUser{UserID: u.User.ID, Email: u.User.Email, Result: result}, result
}

// audit records what was stored, if anything was.
func (m *userImport) audit(ctx context.Context) error {
	if m.count["inserted"]+m.count["updated"] == 0 {
		return nil
	}
	e, err := audit.Event(ctx, m.server.o.Emitter, events.TypeAuditUsersImported, map[string]any{
		"inserted": m.count["inserted"], "updated": m.count["updated"], "kept": m.count["kept"], "refused": m.count["refused"]})
	if err == nil {
		_, err = m.server.o.Emitter.Accept(ctx, []*events.Event{e})
	}
	if err != nil {
		m.server.o.Log.Warn("the import of users is not in the audit trail", "error", err)
	}
	return nil // the answer has been written
}
