package api

import (
	"context"
	"net/http"
	"time"

	"evrun/cmd/api/shape"
)

// How many requests have the daemon look at itself at the same time, and how long it may take.
const (
	examinationsAtOnce = 3
	examinationTakes   = 20 * time.Second
)

// doctor has the daemon look for what is wrong, or soon will be.
func (s *Server) doctor(r *http.Request, _ none) (list shape.CheckResults, err error) {
	release, err := s.examined.take(r)
	if err != nil {
		return list, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(r.Context(), examinationTakes)
	defer cancel()
	list.Findings, err = s.o.Daemon.Examine(ctx)
	list.Findings = listed(list.Findings)
	return list, err
}
