package cmd

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what GET /metrics tells of the daemon, in Prometheus' text format.
type metrics struct {
	registry *prometheus.Registry
	lateness prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "evrun_schedule_lateness_seconds",
			Help:    "How long after its time a slot's event was accepted. Slots that were missed are not counted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
	}
	m.registry.MustRegister(m.lateness, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// slotAccepted counts a slot's event, accepted so long after its time.
func (m *metrics) slotAccepted(late time.Duration) { m.lateness.Observe(late.Seconds()) }
