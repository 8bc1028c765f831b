package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"evrun/cmd/api/ingest"
	"evrun/cmd/api/limits"
	"evrun/cmd/api/shape"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/control"
)

// newHooks makes what answers the requests to hooks.
func (s *Server) newHooks() *hook.Receiver {
	redact := s.o.Redact
	if redact == nil {
		redact = func(text string) string { return text }
	}
	hooks := hook.NewReceiver(hook.Options{
		Emit: func(ctx context.Context, e *events.Event) (store.Receipt, error) {
			receipts, err := s.o.Emitter.Emit(ctx, e)
			if err != nil {
				return store.Receipt{}, err
			}
			return receipts[0], nil
		},
		Closed: s.refusing,
		Client: s.client,
		Receipt: func(w http.ResponseWriter, e *events.Event, rc store.Receipt) error {
			return writeReceipts(w, []Receipt{ingest.ReceiptOf(e, rc)}, false)
		},
		Status: func(err error) int { return shape.ProblemOf(err).Status },
		Redact: redact, MaxData: s.o.MaxData,
	})
	hooks.Replace(s.o.Hooks)
	return hooks
}

// client is the address of who sent a request.
func (s *Server) client(r *http.Request) netip.Addr { return limits.ClientIP(r, s.o.TrustedProxies) }

// Hooks has the hooks, and what happened to them.
func (s *Server) Hooks() *hook.Receiver { return s.hooks }

// receive answers a request to a hook.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) error {
	err := s.hooks.Receive(w, r, r.PathValue("name"))
	refusal, ok := errors.AsType[*hook.Refusal](err)
	if !ok {
		return err
	}
	if refusal.Allow != "" {
		w.Header().Set("Allow", refusal.Allow)
	}
	return problem(refusal.Status, refusal.Detail).After(refusal.Retry)
}

func (s *Server) listHooks(_ *http.Request, q labeled) (list shape.HookList, err error) {
	list.Hooks, list.Hint = control.ByLabels(s.hooks.All(), q.Labels)
	list.Hooks = listed(list.Hooks)
	return list, nil
}

func (s *Server) getHook(r *http.Request, _ none) (hook.Traffic, error) {
	t, ok := s.hooks.Of(r.PathValue("name"))
	if !ok {
		return t, unknown("hook", r.PathValue("name"), shape.Each(s.hooks.All(), func(h hook.Traffic) string { return h.Name }))
	}
	return t, nil
}
