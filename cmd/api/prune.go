package api

import (
	"errors"
	"net/http"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks/audit"
	"evrun/tasks/retention"
)

type pruneQuery struct {
	DryRun bool `key:"dry_run" doc:"Only say what would go."`
	Now    bool `key:"now" doc:"Do not announce the pruning of a store of an older version for a day first."`
}

// prune prunes the store by the settings; with ?dry_run=true, it only says what would go. With ?now=true, a store of an older version is pruned before its
// pruning was announced for a day.
func (s *Server) prune(r *http.Request, q pruneQuery) (done Pruned, err error) {
	ctx := r.Context()
	done.DryRun = q.DryRun
	done.Report, err = retention.Once(ctx, s.o.Store, s.o.Retention(), done.DryRun, q.Now, time.Now())
	var early *retention.TooEarlyError
	switch {
	case errors.Is(err, retention.ErrOff):
		return done, problem(http.StatusConflict, err.Error()+"; the settings retention.events and retention.size turn it on")
	case errors.As(err, &early):
		return done, problem(http.StatusConflict, err.Error()+"; --now (now=true) does not wait, --dry-run says what would go")
	case done.Pruned != store.Pruned{} && !done.DryRun: // also what went before an error
		err = errors.Join(err, s.auditPruned(r, &done))
	}
	if err != nil {
		return done, err
	}
	done.Space, err = retention.SpaceOf(ctx, s.o.Store)
	return done, err
}

func (s *Server) auditPruned(r *http.Request, done *Pruned) error {
	e, err := audit.Event(r.Context(), s.o.Emitter, events.TypeAuditEventsPruned, map[string]any{"events": done.Events, "chains": done.Chains, "runs": done.Runs})
	if err == nil {
		_, err = s.o.Emitter.Accept(r.Context(), []*events.Event{e})
	}
	return err
}
