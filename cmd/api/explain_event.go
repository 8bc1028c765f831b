package api

import (
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/store"
	"evrun/tasks/explain"
	"evrun/tasks/expression"
)

type sourceQuery struct {
	Source string `key:"source" doc:"The name is the id of an event of this source."`
}

// explainEvent answers with what happened to a stored event at each handler.
func (s *Server) explainEvent(r *http.Request, q sourceQuery) (told shape.Accounts, err error) {
	ctx := r.Context()
	e, err := s.findEvent(ctx, r.PathValue("id"), q.Source, false)
	if err != nil {
		return told, err
	}
	report := s.o.Explain(e)
	happened, err := explain.Happened(ctx, s.o.Store, e, report.Handlers)
	if err != nil {
		return told, err
	}
	wired := make(map[string]explain.Handler, len(report.Handlers))
	for _, h := range report.Handlers {
		wired[h.Name] = h
	}
	var runs []store.Run
	for _, a := range happened {
		if a.Run != nil {
			runs = append(runs, *a.Run)
		}
	}
	s.begun(ctx, runs)
	shapes := s.reasons.Runs(ctx, runs) // at once: each that is skipped asks for the event
	accounts, env := make([]Account, len(happened)), expression.NewEnv(e)
	for i, a := range happened {
		accounts[i] = Account{Handler: a.Handler, State: a.State, Why: a.Why, On: a.On}
		if accounts[i].On == nil {
			accounts[i].On = []string{}
		}
		if h, ok := wired[a.Handler]; ok {
			accounts[i].Wired(h)
		}
		if a.Run != nil {
			accounts[i].Tell(shapes[0])
			if now := accounts[i].When; now == nil || now.Text != runs[0].When {
				if then := s.reasons.Condition(runs[0], env); then != nil {
					accounts[i].When = then
				}
			}
			runs, shapes = runs[1:], shapes[1:]
		}
	}
	return shape.Accounts{Event: e, Matched: explain.MatchedAny(happened), Final: report.Final, Hint: report.Hint, Handlers: accounts}, nil
}
