package access

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestARouteWithoutARuleIsRefused: the gate is closed unless a rule opens it, also for the owner.
func TestARouteWithoutARuleIsRefused(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /ruled", "GET /forgotten"} {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	tokens := NewTokens()
	tokens.Set(Owner, []Token{{Name: OwnerName, Hash: HashOf("secret"), Rights: all}})
	gate := New(Options{Tokens: tokens, Log: slog.New(slog.DiscardHandler), Client: func(*http.Request) netip.Addr { return netip.Addr{} },
		Refuse: func(w http.ResponseWriter, _ *http.Request, no Refused) { w.WriteHeader(no.Status) }})
	handler := gate.Handler(mux, map[string]Rule{"GET /ruled": {Right: Read}}, http.NotFoundHandler())
	for path, want := range map[string]int{"/ruled": http.StatusOK, "/forgotten": http.StatusForbidden, "/nothing": http.StatusNotFound} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Host = "localhost"
		r.Header.Set("Authorization", "Bearer secret")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
