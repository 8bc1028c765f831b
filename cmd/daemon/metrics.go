package daemon

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"evrun/store"
)

// metrics are the answer to GET /metrics, in Prometheus' text format.
type metrics struct {
	registry *prometheus.Registry
	lateness prometheus.Histogram
	quiet    prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "evrun_schedule_lateness_seconds",
			Help:    "How long after its time a slot's event was accepted. Slots that were missed are not counted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		quiet: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "evrun_dead_runs_unannounced_total",
			Help: "How many runs are dead without an evrun.run.dead of their own: those on a notice of level 2. The log has them.",
		}),
	}
	m.registry.MustRegister(m.lateness, m.quiet, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// watch adds the state of the write-ahead log, which is looked up when the metrics are read.
func (m *metrics) watch(wal func() store.WAL) {
	gauge := func(name, help string, value func(store.WAL) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(wal()) }))
	}
	yes := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	gauge("evrun_store_wal_bytes", "The size of the store's write-ahead log.", func(w store.WAL) float64 { return float64(w.Bytes) })
	gauge("evrun_store_wal_held", "1 while another program reads the store for so long that the log can't be given back.", func(w store.WAL) float64 { return yes(w.Held) })
	gauge("evrun_store_wal_full", "1 while the log is at its bound (store.wal_max), and nothing is accepted.", func(w store.WAL) float64 { return yes(w.Full) })
}

// unannounced counts a dead run that no evrun.run.dead reports.
func (m *metrics) unannounced() { m.quiet.Inc() }

// slotAccepted counts a slot whose event was accepted this long after its time.
func (m *metrics) slotAccepted(late time.Duration) { m.lateness.Observe(late.Seconds()) }
