package doctor

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"evrun/tasks/trace/otlp"
)

// collectorWithin is how long a collector has to answer.
const collectorWithin = 3 * time.Second

// spans looks at the environment variables of spans, as this program has them, and asks the collector. What the daemon said of its own is not repeated.
func (x *examination) spans(ctx context.Context) {
	s, faults := otlp.FromEnvironment(os.Getenv)
	for _, f := range faults {
		if !slices.ContainsFunc(x.found, func(had Finding) bool { return had.Check == "spans" && strings.HasPrefix(had.Text, f.Error()) }) {
			x.add("spans", Warning, f.Hint, "%s", f.Error())
		}
	}
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, collectorWithin)
	defer cancel()
	collector := otlp.New(*s, otlp.Options{Log: slog.New(slog.DiscardHandler)})
	defer collector.Close()
	if err := collector.Probe(ctx); err != nil {
		x.add("spans", Warning, "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT: its HTTP receiver usually has port 4318", "%s can't be asked: %v", s.Place(), err)
		return
	}
	x.add("spans", OK, "", "they go to %s", s.Place())
}
