package api

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"evrun/cmd/api/ndjson"
	"evrun/cmd/api/openapi"
	"evrun/cmd/api/query"
)

// endpoint is what answers a route, with the Go types of its parameters, its body and its answer: the description of the API has them from here.
type endpoint struct {
	query  reflect.Type // its fields are the parameters, see package query
	body   reflect.Type // of a body in JSON; nil: none, or the route reads it
	answer reflect.Type // of an answer in JSON with status 200; nil: the route writes it
	of     func(*Server) route
}

// none is the type of the parameters of a request that has none.
type none struct{}

// returns is a request whose answer is a value in JSON.
func returns[Q, A any](method func(*Server, *http.Request, Q) (A, error)) endpoint {
	return endpoint{query: reflect.TypeFor[Q](), answer: reflect.TypeFor[A](), of: func(s *Server) route {
		return func(w http.ResponseWriter, r *http.Request) error {
			q, err := parameters[Q](r)
			if err != nil {
				return err
			}
			v, err := method(s, r, q)
			if err != nil {
				return err
			}
			return writeJSON(w, http.StatusOK, v)
		}
	}}
}

// writes is a request that writes its own answer.
func writes[Q any](method func(*Server, http.ResponseWriter, *http.Request, Q) error) endpoint {
	return endpoint{query: reflect.TypeFor[Q](), of: func(s *Server) route {
		return func(w http.ResponseWriter, r *http.Request) error {
			q, err := parameters[Q](r)
			if err != nil {
				return err
			}
			return method(s, w, r, q)
		}
	}}
}

// takes is returns with a body, a JSON object.
func takes[B, Q, A any](method func(*Server, *http.Request, B, Q) (A, error)) endpoint {
	e := takesAndWrites(func(s *Server, w http.ResponseWriter, r *http.Request, b B, q Q) error {
		v, err := method(s, r, b, q)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, v)
	})
	e.answer = reflect.TypeFor[A]()
	return e
}

// takesAndWrites is writes with a body, a JSON object.
func takesAndWrites[B, Q any](method func(*Server, http.ResponseWriter, *http.Request, B, Q) error) endpoint {
	return endpoint{query: reflect.TypeFor[Q](), body: reflect.TypeFor[B](), of: func(s *Server) route {
		return func(w http.ResponseWriter, r *http.Request) error {
			q, err := parameters[Q](r)
			if err != nil {
				return err
			}
			var b B
			if err := s.readJSON(w, r, &b); err != nil {
				return err
			}
			return method(s, w, r, b, q)
		}
	}}
}

// parameters decodes the parameters of a request.
func parameters[Q any](r *http.Request) (q Q, err error) {
	if err := query.Decode(r.URL.RawQuery, &q); err != nil {
		return q, problem(http.StatusBadRequest, err.Error())
	}
	return q, nil
}

// readJSON reads a body that must be one JSON object, with known members only.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if err := sentAs(r, openapi.JSON); err != nil {
		return err
	}
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

// sentAs refuses a body of another media type; one without a type is taken.
func sentAs(r *http.Request, types ...string) error {
	text := r.Header.Get("Content-Type")
	if text == "" {
		return nil
	}
	mediaType, _, _ := mime.ParseMediaType(text)
	for _, t := range types {
		if mediaType == t {
			return nil
		}
	}
	return problem(http.StatusUnsupportedMediaType, "Content-Type: "+strings.Join(types, " or ")+", not "+text)
}
