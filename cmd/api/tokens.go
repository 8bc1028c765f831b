package api

import (
	"context"
	"net/http"

	"evrun/cmd/api/shape"
)

// LoadTokens makes the tokens of the store valid, and ends those that the store no longer has.
func (s *Server) LoadTokens(ctx context.Context) error { return s.credentials.Load(ctx) }

func (s *Server) listTokens(r *http.Request, _ none) (shape.TokenList, error) {
	return s.credentials.List(r.Context())
}

// createToken makes a token. Only this answer has it.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request, ask shape.TokenRequest, _ none) error {
	made, err := s.credentials.Create(r.Context(), ask)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusCreated, made)
}

// revokeToken ends a token, and the requests that it began.
func (s *Server) revokeToken(r *http.Request, _ none) (shape.RevokedToken, error) {
	return s.credentials.Revoke(r.Context(), r.PathValue("name"))
}
