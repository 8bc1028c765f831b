package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"evrun/cmd/api/access"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/batches"
	"evrun/tasks/erase"
)

// batchOf returns the shape of a batch.
func (s *Server) batchOf(b store.Batch) Batch { return shape.BatchOf(b, s.actions.Running(b.ID)) }

func (s *Server) listBatches(r *http.Request, _ none) (shape.BatchList, error) {
	all, err := s.o.Store.Batches(r.Context())
	list := make([]Batch, len(all))
	for i, b := range all {
		if list[i], err = s.batchNow(r.Context(), b, err); err != nil {
			break
		}
	}
	return shape.BatchList{Batches: list}, err
}

func (s *Server) getBatch(r *http.Request, _ none) (Batch, error) {
	b, err := s.o.Store.Batch(r.Context(), r.PathValue("id"))
	return s.batchNow(r.Context(), b, err)
}

// batchNow returns the shape of a batch that was just read. If it does not run any more, it may have ended since, and is read again.
func (s *Server) batchNow(ctx context.Context, b store.Batch, err error) (Batch, error) {
	shape := s.batchOf(b)
	if err == nil && shape.State == BatchStopped {
		b, err = s.o.Store.Batch(ctx, b.ID)
		shape = s.batchOf(b)
	}
	return shape, err
}

// postBatch answers a dry run with a [BatchPreview], and any other request with lines of NDJSON: the batch, again and again while it runs. In the last
// line it has ended, or has a problem. A client that leaves stops its batch, unless it is detached.
func (s *Server) postBatch(w http.ResponseWriter, r *http.Request, request BatchRequest, _ none) error {
	if hint := s.labeled(&request.Selection); hint != "" {
		return problem(http.StatusBadRequest, "label: "+hint)
	}
	asking := r.Context()
	if request.Detach && !request.DryRun { // nobody waits for a look
		asking = context.WithoutCancel(asking)
	}
	ctx, cancel := s.untilClose(asking)
	defer cancel()
	if err := s.mayErase(r, request); err != nil {
		return err
	}
	if request.DryRun {
		preview, err := s.actions.Preview(ctx, request.Request)
		if err != nil {
			return aboutBatch(err)
		}
		return writeJSON(w, http.StatusOK, shape.BatchPreviewOf(preview))
	}
	if s.draining.Load() {
		return errDraining
	}
	lines := &batchLines{w: w, server: s, detached: request.Detach, who: access.From(asking)}
	var done store.Batch
	var err error
	if request.Resume != "" {
		if done, err = s.o.Store.Batch(ctx, request.Resume); err == nil && request.Action != "" && request.Action != done.Action {
			err = problem(http.StatusConflict, "batch "+done.ID+" is for another action: "+done.Action)
		}
		if err == nil {
			done, err = s.actions.Resume(ctx, request.Resume, lines.progress)
		}
	} else {
		done, err = s.actions.Run(ctx, request.Request, lines.progress)
	}
	if err != nil && !lines.begun {
		return aboutBatch(err)
	}
	last := s.batchOf(done)
	if err != nil {
		last.State, last.Problem = BatchStopped, shape.ProblemOf(aboutBatch(err))
		if errors.Is(err, context.Canceled) {
			last.Problem = errDraining
		}
	}
	_ = lines.write(last) // the client may be gone
	return nil
}

// mayErase refuses an erasure by a token without the right for it: what is erased can't be made good again.
func (s *Server) mayErase(r *http.Request, request BatchRequest) error {
	who, action := access.From(r.Context()), request.Action
	if who.May(access.Admin) {
		return nil
	}
	if request.Resume != "" {
		b, err := s.o.Store.Batch(r.Context(), request.Resume)
		if err != nil {
			return err
		}
		action = b.Action
	}
	if action == erase.Name {
		return problem(http.StatusForbidden, "the token "+who.Name()+" does not have the right "+string(access.Admin)+", which erasing needs")
	}
	return nil
}

// batchLines writes the progress of a batch.
type batchLines struct {
	w        http.ResponseWriter
	server   *Server
	detached bool
	who      *access.Identity
	begun    bool
	gone     bool // the client of a detached batch has left
	last     time.Time
}

// showEvery is how often progress is written.
const showEvery = 100 * time.Millisecond

// progress writes a line, unless the last one was written just now. Its error stops the batch.
func (l *batchLines) progress(b store.Batch) error {
	switch now := time.Now(); {
	case l.server.draining.Load():
		return errDraining
	case l.detached && !l.who.May(access.Operate):
		return problem(http.StatusForbidden, "the token "+l.who.Name()+" was revoked")
	case l.gone || now.Sub(l.last) < showEvery:
		return nil
	default:
		l.last = now
		err := l.write(l.server.batchOf(b))
		if l.gone = l.detached && err != nil; l.gone {
			return nil
		}
		return err
	}
}

// stopBatch stops a batch between two pages. One that does not run stays as it is.
func (s *Server) stopBatch(r *http.Request, _ none) (Batch, error) {
	s.actions.Stop(r.PathValue("id"))
	return s.getBatch(r, none{})
}

func (l *batchLines) write(b Batch) error {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", ndjson.Type)
		l.w.WriteHeader(http.StatusOK)
	}
	if err := events.WriteJSON(l.w, b); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}

// aboutBatch makes an error of a batch a problem; other errors stay as they are.
func aboutBatch(err error) error {
	var wrong *batches.RequestError
	var changed *batches.ChangedError
	switch {
	case errors.As(err, &wrong):
		return problem(http.StatusBadRequest, err.Error())
	case errors.As(err, &changed):
		p := problem(http.StatusConflict, err.Error())
		now := shape.BatchPreviewOf(changed.Now)
		p.Preview = &now
		return p
	case errors.Is(err, batches.ErrBusy):
		return problem(http.StatusTooManyRequests, err.Error())
	case errors.Is(err, batches.ErrRunning), errors.Is(err, batches.ErrEnded), errors.Is(err, batches.ErrStopped), errors.Is(err, store.ErrBatchMoved):
		return problem(http.StatusConflict, err.Error())
	}
	return err
}
