package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/emitter"
	"evrun/tasks/users"
)

// The pages of an import: so many lines, or bytes, are one transaction.
const (
	importRows  = 500
	importBytes = 1 << 20
)

// Users stores users, one a line of NDJSON. Each line is answered by one, in the same order: a [shape.ImportedUser], or a problem with the number of
// the line. A line that is refused does not stop the others; a failure of the store is the last answer, and nothing from its line on was stored. No
// events are published but that of the audit trail, at the end.
type Users struct {
	Store   store.Store
	Emitter *emitter.Emitter
	MaxData int
	On      store.OnConflict
	Refuse  func() error // its error refuses all lines from here on; called before each page
	Out     io.Writer
	Flush   func() error

	count map[string]int // by the result of a line

	users   []store.User
	answers []any // of the page: a *shape.Problem, or nil for the next user
	first   int   // the number of the page's first line
	bytes   int
}

// Run stores the lines of a body, whose first has a number. The error is a failure of the body, of the answer or of the audit trail; a *[shape.Problem]
// is the last answer. trail is why what was stored is not in the audit trail.
func (m *Users) Run(ctx context.Context, body io.Reader, number int) (trail, err error) {
	m.count = map[string]int{}
	err = m.run(ctx, body, number)
	return m.audit(context.WithoutCancel(ctx)), err
}

// run reads lines, and stores them page by page: whenever no other line has arrived, or a page is full.
func (m *Users) run(ctx context.Context, body io.Reader, number int) error {
	longest := ndjson.MaxLine(m.MaxData)
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
				m.add(number, shape.NewProblem(http.StatusBadRequest, err.Error()))
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
func (m *Users) add(number int, refused *shape.Problem) {
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
func (m *Users) store(ctx context.Context) error {
	if len(m.answers) == 0 {
		return nil
	}
	defer func() { m.users, m.answers, m.bytes = nil, m.answers[:0], 0 }()
	var done []store.Imported
	err := m.Refuse()
	if err == nil && len(m.users) > 0 {
		done, err = m.Store.ImportUsers(ctx, m.users, m.On)
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
	if _, err := m.Out.Write(text.Bytes()); err != nil {
		return err
	}
	return m.Flush()
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
	return shape.ImportedUser{UserID: u.User.ID, Email: u.User.Email, Result: result}, result
}

// audit records what was stored, if anything was.
func (m *Users) audit(ctx context.Context) error {
	if m.count["inserted"]+m.count["updated"] == 0 {
		return nil
	}
	e, err := audit.Event(ctx, m.Emitter, events.TypeAuditUsersImported, map[string]any{
		"inserted": m.count["inserted"], "updated": m.count["updated"], "kept": m.count["kept"], "refused": m.count["refused"]})
	if err == nil {
		_, err = m.Emitter.Accept(ctx, []*events.Event{e})
	}
	return err
}
