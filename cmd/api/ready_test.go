package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"evrun/cmd/api"
)

func TestADaemonWhoseWriterIsStuckIsNotReady(t *testing.T) {
	d := serve(t)
	if err := d.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	stuck := context.DeadlineExceeded
	d.store.fault.Store(&stuck)
	var p *api.Problem
	if err := d.Ping(t.Context()); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "the store's writer has not answered for 2s") {
		t.Errorf("got %v", err)
	}
	d.store.fault.Store(nil)
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
