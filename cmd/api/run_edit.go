package api

import (
	"net/http"

	"evrun/cmd/api/shape"
	"evrun/tasks/control"
)

type editQuery struct {
	DryRun bool `key:"dry_run" doc:"Only check, and show the event."`
}

// editRun ends a run and accepts an event with changed data for its handler. With ?dry_run=true it only checks, and shows the event.
func (s *Server) editRun(r *http.Request, edit control.Edit, q editQuery) (answer EditedRun, err error) {
	if edit.Data == nil && len(edit.Set) == 0 {
		return answer, problem(http.StatusBadRequest, `say what changes: data (all of it), or set (a list of fields, each {"path": "customer.name", "value": …})`)
	}
	if _, err := s.publishing(r); err != nil {
		return answer, err
	}
	changes := s.changes()
	run, err := s.run(r)
	if err != nil {
		return answer, err
	}
	edited, err := changes.Edit(r.Context(), run, edit)
	if err != nil {
		return answer, err
	}
	if !q.DryRun {
		if edited.Run, err = changes.ResendOne(r.Context(), edited); err != nil {
			return answer, err
		}
	}
	return EditedRun{Run: shape.RunOf(edited.Run), Before: edited.Of, After: edited.Again}, nil
}
