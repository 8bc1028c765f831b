package web

import (
	"errors"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/events"
)

var emitPage = page{pattern: "GET /emit", right: "read", nav: "emit", title: "Emit", template: "emit", load: loadEmit}

// emitView is an event to be published: a new one, a copy of another one (?event=), or one in the place of a run's (?run=).
type emitView struct {
	Names []string        // of types that can be published
	Type  shape.EventType // that was chosen; without a Type: none yet
	From  *events.Event   // the event that is copied
	Run   *api.RunDetails // the run that is sent again with other data
	Data  string          // the data to begin with, of From or of ?data=
	Plain string          // the data can't be edited here, and why
}

func loadEmit(q *request) (any, error) {
	ctx := q.Context()
	var v emitView
	list, err := q.api.Types(ctx, "", typesShown)
	if err != nil {
		return nil, err
	}
	for _, t := range list.Types {
		if !t.Own {
			v.Names = append(v.Names, t.Type)
		}
	}
	name, of := q.query.Get("type"), q.query.Get("event")
	if id := q.query.Get("run"); id != "" {
		run, err := q.api.Run(ctx, id)
		if err != nil {
			return nil, err
		}
		v.Run, of = &run, sequenceName(run.Sequence)
		q.title = "Edit and run again"
	}
	if v.Data = q.query.Get("data"); of != "" {
		if v.From, err = q.api.Event(ctx, of); err != nil {
			return nil, err
		}
		v.copy()
		name = v.From.Type
	}
	if name == "" {
		return v, nil
	}
	v.Type, err = q.api.Type(ctx, name)
	var p *api.Problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound { // nothing knows it yet
		v.Type, err = shape.EventType{Type: name}, nil
	}
	return v, err
}

// copy takes the data of the event that is copied.
func (v *emitView) copy() {
	switch e := v.From; {
	case !e.ErasedAt.IsZero():
		v.Plain = "The data of this event was erased."
	case !e.IsJSON():
		v.Plain = "The data of this event is " + e.DataContentType + ", which can't be edited here."
	default:
		v.Data = indented(e.Data)
	}
}

// Schema is the schema of the type as a text for the form; empty: there is none.
func (v emitView) Schema() string {
	if v.Type.Schema == nil {
		return ""
	}
	return compact(v.Type.Schema)
}
