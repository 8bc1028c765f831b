package api_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/tasks"
)

// failing reports each attempt, which fails.
type failing chan struct{}

func (f failing) Do(context.Context, *tasks.Delivery) (any, error) {
	f <- struct{}{}
	return nil, errors.New("no")
}

// A request to cancel a run that was taken before the server closes is not given up: only the wait for the end of an attempt is.
func TestACancelIsDoneWhileTheServerCloses(t *testing.T) {
	action := make(failing, 9)
	d := serve(t, &tasks.Handler{Name: "h", On: []events.Pattern{events.MustPattern("a.b")}, Action: action, Retry: tasks.Retry{Backoff: time.Hour, Max: time.Hour}})
	d.emit("a.b", 1)
	<-action
	d.close()
	w := httptest.NewRecorder()
	d.server.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/runs/1-h/cancel?wait=1m", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "cancelled by ") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
