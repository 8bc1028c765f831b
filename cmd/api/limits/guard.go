package limits

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Guarded bounds what a fault in a handler ends: its panic ends that request alone, is logged with its stack, and answered by failed unless the answer has begun.
// A request within this process, as the dashboard's pages make them, has no connection whose server would recover.
func Guarded(h http.Handler, log *slog.Logger, failed func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler: // the value itself
				panic(v)
			default:
				log.Error("a request failed by a fault of evrun", "method", r.Method, "path", r.URL.Path, "error", fmt.Sprint(v), "stack", string(debug.Stack()))
				failed(w)
			}
		}()
		h.ServeHTTP(w, r)
	})
}
