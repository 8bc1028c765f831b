package api

import (
	"net/http"

	"evrun/tasks/explain"
)

// explainEvent answers with what happened to a stored event at each handler.
func (s *Server) explainEvent(r *http.Request) (any, error) {
	ctx := r.Context()
	e, err := s.findEvent(ctx, r.PathValue("id"), r.URL.Query().Get("source"), false)
	if err != nil {
		return nil, err
	}
	report := s.o.Explain(e)
	told, err := explain.Happened(ctx, s.o.Store, e, report.Handlers)
	if err != nil {
		return nil, err
	}
	accounts := make([]Account, len(told))
	for i, a := range told {
		accounts[i] = Account{Handler: a.Handler, State: a.State, Why: a.Why, On: a.On}
		if accounts[i].On == nil {
			accounts[i].On = []string{}
		}
		if a.Run != nil {
			accounts[i].Tell(s.told(ctx, *a.Run))
		}
	}
	return struct {
		Event    any       `json:"event"`
		Matched  bool      `json:"matched"`
		Final    bool      `json:"final,omitempty"`
		Hint     string    `json:"hint,omitempty"`
		Accounts []Account `json:"handlers"`
	}{e, explain.MatchedAny(told), report.Final, report.Hint, accounts}, nil
}
