package runlog

import (
	"context"
	"net/http"
	"strconv"

	"evrun/cmd/api/shape"
	"evrun/store"
	"evrun/tasks"
)

// Wanted reads which attempts of a run are asked for: a number, or all; the last one if it is empty. The error is an [*shape.Problem].
func Wanted(run store.Run, attempt string, follow bool) (from, to int, err error) {
	switch attempt {
	case "":
		return max(run.Attempt, 1), run.Attempt, nil
	case "all":
		return 1, run.Attempt, nil
	}
	n, err := strconv.Atoi(attempt)
	switch {
	case err != nil || n < 0:
		return 0, 0, shape.NewProblem(http.StatusBadRequest, "attempt: must be a number or all, not "+strconv.Quote(attempt))
	case follow:
		return 0, 0, shape.NewProblem(http.StatusBadRequest, "follow: the run is followed, not one attempt: leave attempt out, or say all")
	case n < 1 || n > run.Attempt:
		return 0, 0, shape.NewProblem(http.StatusNotFound, "run "+run.ID+" has no attempt "+attempt+": it has had "+strconv.Itoa(run.Attempt))
	}
	return n, n, nil
}

// Attempts reads attempts of a run. A running one has what it has printed so far, of which the runner of a daemon knows more than the store.
func Attempts(ctx context.Context, s store.Store, runner *tasks.Runner, q store.AttemptQuery) ([]store.Attempt, error) {
	var running *store.Attempt
	if runner != nil {
		if p, ok := runner.Printing(q.Run); ok && (q.Before == 0 || p.Attempt < q.Before) {
			running = &store.Attempt{Number: p.Attempt, StartedAt: p.Since, State: store.Running, Output: p.Capture.Output()}
		}
	}
	list, err := s.Attempts(ctx, q)
	if err != nil || running == nil {
		return list, err
	}
	switch last := len(list) - 1; {
	case last >= 0 && list[last].Number == running.Number && list[last].State == store.Running:
		list[last] = *running
	case last < 0 || list[last].Number < running.Number:
		list = append(list, *running)
	}
	return list, nil
}
