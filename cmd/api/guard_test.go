package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
)

// A fault in one page or route is answered and logged, and nothing else ends.
func TestAPanicEndsOneRequest(t *testing.T) {
	var log bytes.Buffer
	s := NewServer(Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Pages: func(http.Handler) []shape.Page {
		return []shape.Page{{Pattern: "GET /broken", Right: access.Read, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("out of range") })}}
	}})
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/broken", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "a fault of evrun") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if text := log.String(); !strings.Contains(text, "out of range") || !strings.Contains(text, "guard_test.go") {
		t.Errorf("the log does not say where: %s", text)
	}
}
