package reference

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"evrun/cmd/metrics"
)

// allMetrics is the page of the metrics.
func allMetrics(Sources) (string, error) {
	var p page
	p.heading(1, "Metrics")
	p.line("What a daemon counts and measures, for Prometheus: `evrun metrics` prints it, and `GET /metrics` on the socket answers it. [operations.md](operations.md#metrics-dashboard-alerts)")
	p.line("says how Prometheus gets it, and how to get a dashboard and alerts.\n")
	p.line("Labels are names of the wiring file only, and a handler that leaves it is in the metrics no more. A histogram has the suffixes `_bucket`, `_sum` and `_count`.\n")
	var rows [][]string
	for _, m := range metrics.All() {
		kind := "histogram"
		switch m.Kind {
		case prometheus.CounterValue:
			kind = "counter"
		case prometheus.GaugeValue:
			kind = "gauge"
		}
		name := m.Name
		if len(m.Labels) > 0 {
			name += "{" + strings.Join(m.Labels, ",") + "}"
		}
		rows = append(rows, []string{quoted(name), kind, m.Help})
	}
	p.table([]string{"metric", "type", "meaning"}, rows)
	return p.String(), nil
}
