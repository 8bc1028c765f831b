package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/shape"
	"evrun/tasks/control"
)

// editRun ends a run and accepts an event with changed data for its handler. With ?dry_run=true it only checks, and shows the event.
func (s *Server) editRun(w http.ResponseWriter, r *http.Request) error {
	var edit control.Edit
	if err := s.readJSON(w, r, &edit); err != nil {
		return err
	}
	if edit.Data == nil && len(edit.Set) == 0 {
		return problem(http.StatusBadRequest, `say what changes: data (all of it), or set (a list of fields, each {"path": "customer.name", "value": …})`)
	}
	if _, err := s.publishing(r); err != nil {
		return err
	}
	changes := s.changes()
	run, err := s.run(r)
	if err != nil {
		return err
	}
	edited, err := changes.Edit(r.Context(), run, edit)
	if err != nil {
		return err
	}
	if !parametersOf(r).yes("dry_run") {
		if edited.Run, err = changes.ResendOne(r.Context(), edited); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, EditedRun{Run: shape.RunOf(edited.Run), Before: edited.Of, After: edited.Again})
}

// readJSON reads a body that must be one JSON object, with known members only.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, int64(ndjson.MaxLine(s.o.MaxData))))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case err != nil:
		return problem(http.StatusBadRequest, "the body must be a JSON object of this request: "+err.Error())
	case d.More():
		return problem(http.StatusBadRequest, "the body must be one JSON object")
	}
	return nil
}
