// Package metrics is the answer to GET /metrics, and what is made of it: its lines in JSON, the Grafana dashboard, the alerts.
//
// A [Metrics] is a Prometheus registry. The parts of the daemon keep plain numbers (package store/meter, tasks/measure, the emitter, the server) and
// know nothing of Prometheus; a scrape reads them. Only what the writer and the scheduler report goes into histograms of the client library, once for
// each transaction and slot. So no event looks up a label or waits for a lock because of metrics.
//
// A scrape scans nothing and is bounded: workers have 100 ms to answer, and what they don't know is looked up for a second at most. Where a part does
// not answer, its last numbers are given. Series are those of the wiring file's handlers and schedules: no label comes from an event.
//
// table.go has all metrics. Their names in dashboard.go and alerts.go are checked against a scrape by the tests.
//
// Histograms are classic ones. Native histograms need Prometheus' binary format, which neither curl nor a textfile collector carries, and a version of
// Prometheus newer than those that stable distributions have.
package metrics

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/hook"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emitter"
	"evrun/tasks/retention"
	"evrun/tasks/schedule"
	"evrun/tasks/trace/otlp"
)

// Sources are what a scrape reads. All are required, and called by one scrape at a time.
type Sources struct {
	Version, Revision string
	Store             string // its id
	Handlers          func(context.Context) []tasks.Measures
	Schedules         func(context.Context) ([]schedule.State, error)
	Refused           *emitter.Refusals
	Server            func() api.Load
	Hooks             *hook.Receiver
	Denied            *access.Denied
	Port              func() *api.Port // the TCP port; nil: none
	Accepting         func() bool      // the daemon is neither starting nor stopping
	Reloaded          func() (ok bool, at time.Time)
	WAL               func() store.WAL
	Space             func(context.Context) Space
	Retention         func(context.Context) (retention.Status, error)
	Spans             func() otlp.Counts
	Nodes             func(context.Context) ([]store.Node, error) // those that share the store; none: this daemon has it to itself
}

// Space is what the store takes on the disk. Nil and -1: not known.
type Space struct {
	Sizes    *store.Sizes
	DiskFree int64
}

// Metrics are the metrics of one daemon. Its methods are safe for concurrent use.
type Metrics struct {
	registry   *prometheus.Registry
	commitTime prometheus.Histogram
	commitSize prometheus.Histogram
	lateness   prometheus.Histogram

	accepted, known, unannounced, full, busy, other atomic.Int64
	noSpace                                         atomic.Bool // at the last transaction
}

// New makes metrics without sources: the store needs [Metrics.Wrote] before there are any.
func New() *Metrics {
	of := func(m *Metric, buckets ...float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: buckets})
	}
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		commitTime: of(commitTime, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5),
		commitSize: of(commitSize, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000),
		lateness:   of(lateness, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 600, 3600),
	}
	m.registry.MustRegister(m.commitTime, m.commitSize, m.lateness, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch gives the metrics their sources. It must be called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(&collector{m: m, s: s}) }

// maxScrapes is how many answers are made at the same time. More are answered with 503.
const maxScrapes = 4

// Handler answers GET /metrics, in the text formats of Prometheus and of OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, EnableOpenMetrics: true})
}

// Wrote is for [store.Options.Wrote].
func (m *Metrics) Wrote(w store.Written) {
	switch {
	case w.Err == nil:
		m.commitTime.Observe(w.Took.Seconds())
		m.commitSize.Observe(float64(w.Events + w.Runs))
		m.accepted.Add(int64(w.Events))
		m.known.Add(int64(w.Known))
	case errors.Is(w.Err, store.ErrFull):
		m.full.Add(1)
	case errors.Is(w.Err, store.ErrBusy):
		m.busy.Add(1)
	default:
		m.other.Add(1)
	}
	m.noSpace.Store(errors.Is(w.Err, store.ErrFull))
}

// Accepted returns how many events were accepted.
func (m *Metrics) Accepted() int64 { return m.accepted.Load() }

// Unannounced counts a dead run that no evrun.run.dead reports.
func (m *Metrics) Unannounced() { m.unannounced.Add(1) }

// SlotAccepted counts a slot whose event was accepted this long after its time.
func (m *Metrics) SlotAccepted(late time.Duration) { m.lateness.Observe(late.Seconds()) }

// collector reads the sources.
type collector struct {
	m *Metrics
	s Sources

	mu        sync.Mutex // one scrape at a time
	schedules []schedule.State
	pruning   *retention.Status // nil: not known yet
	shared    bool              // the store has said that daemons share it
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range All() {
		if m != commitTime && m != commitSize && m != lateness {
			ch <- m.desc
		}
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx := context.Background() // the parts bound their time
	send := func(m *Metric, v float64, labels ...string) { ch <- m.value(v, labels...) }
	wal := c.s.WAL()
	send(buildInfo, 1, c.s.Version, c.s.Revision, runtime.Version())
	send(storeInfo, 1, c.s.Store)
	reachable := c.nodes(ctx, send)
	send(ready, yes(c.s.Accepting() && reachable && !wal.Full && !c.m.noSpace.Load()))
	ok, at := c.s.Reloaded()
	send(reloadOK, yes(ok))
	send(reloadAt, unix(at))

	send(accepted, float64(c.m.accepted.Load()))
	send(duplicates, float64(c.m.known.Load()))
	c.s.Refused.Each(func(why emitter.Reason, n int64) { send(refused, float64(n), why.String()) })
	for _, h := range c.s.Hooks.All() {
		for result, n := range h.Results() {
			send(hookRequests, float64(n), h.Name, result)
		}
	}
	send(hookRequests, float64(c.s.Hooks.Unknown()), "", string(hook.Unknown))
	load := c.s.Server()
	send(connections, float64(load.Connections))
	if port := c.s.Port(); port != nil {
		send(tcpConnections, float64(port.Connections))
		send(tcpRefused, float64(port.Refused))
		c.s.Denied.Each(func(why access.Reason, n int64) { send(denied, float64(n), string(why)) })
		if port.Expires != nil {
			send(certificateExpires, unix(*port.Expires))
		}
	}
	send(streams, float64(load.Streams))
	send(gaps, float64(load.Gaps))
	send(cutOff, float64(load.CutOff))

	for _, h := range c.s.Handlers(ctx) {
		handler(h, ch)
		if c.shared {
			send(slotsLost, float64(h.Lost.Load()), h.Name)
		}
	}
	send(unannounced, float64(c.m.unannounced.Load()))

	send(writeErrors, float64(c.m.full.Load()), "full")
	send(writeErrors, float64(c.m.busy.Load()), "busy")
	send(writeErrors, float64(c.m.other.Load()), "other")
	c.store(ctx, send)
	send(walBytes, float64(wal.Bytes))
	send(walMax, float64(wal.Max))
	send(walHeld, yes(wal.Held))
	send(walFull, yes(wal.Full))
	send(walCheckpoint, float64(wal.Begun))

	c.slots(ctx, send)

	s := c.s.Spans()
	send(spansSent, float64(s.Sent))
	send(spansLost, float64(s.Full), "queue_full")
	send(spansLost, float64(s.Unsent), "not_sent")
	send(spansLost, float64(s.Rejected), "rejected")
}

// store sends the sizes of the store, and what was pruned.
func (c *collector) store(ctx context.Context, send func(*Metric, float64, ...string)) {
	space := c.s.Space(ctx)
	if s := space.Sizes; s != nil {
		send(storeBytes, float64(s.File))
		send(freeBytes, float64(s.Free))
		if s.Oldest > 0 {
			send(oldestEvent, unix(s.OldestAt))
		}
	}
	if space.DiskFree >= 0 {
		send(diskFree, float64(space.DiskFree))
	}
	if s, err := c.s.Retention(ctx); err == nil {
		c.pruning = &s
	}
	p := c.pruning
	if p == nil {
		return
	}
	send(prunedEvents, float64(p.Pruned.Events))
	send(prunedBytes, float64(p.Pruned.Bytes))
	if p.LastAt != nil {
		send(prunedAt, unix(*p.LastAt))
	}
	send(overBytes, float64(p.Over))
	send(pruneFailed, yes(p.Error != ""))
	send(keptKeys, float64(p.Keys))
	var lost int64
	for _, l := range p.Lost {
		lost += l.Events
	}
	send(lostEvents, float64(lost))
}

// nodesWithin is how long the database has to say which daemons share it.
const nodesWithin = time.Second

// nodes sends which daemons share the store, and what this one does for them. It reports false where the store can't say.
func (c *collector) nodes(ctx context.Context, send func(*Metric, float64, ...string)) bool {
	ctx, cancel := context.WithTimeout(ctx, nodesWithin)
	defer cancel()
	list, err := c.s.Nodes(ctx)
	if err != nil || len(list) == 0 {
		return err == nil
	}
	c.shared = true
	send(nodes, float64(len(list)))
	for _, n := range list {
		if !n.Self {
			continue
		}
		for _, h := range n.Holdings {
			if h.Handler > 0 {
				send(slotsHeld, float64(h.Slots.Len()), h.Name)
			} else {
				send(leads, 1, h.Name)
			}
		}
	}
	return true
}

// handler sends the metrics of a handler.
func handler(h tasks.Measures, ch chan<- prometheus.Metric) {
	for state := range h.Ended {
		if state := store.RunState(state); state.Ended() && state != store.Dropped {
			ch <- runs.value(float64(h.Ended[state].Load()), h.Name, state.String())
		}
	}
	ch <- runsNow.value(float64(h.Running), h.Name, store.Running.String())
	ch <- runsNow.value(float64(h.Retrying), h.Name, store.Retrying.String())
	ch <- runsNow.value(float64(h.Dead), h.Name, store.Dead.String())
	ch <- failures.value(float64(h.Failed.Load()), h.Name)
	ch <- backlog.value(float64(h.Waiting), h.Name)
	since := 0.0
	if !h.Since.IsZero() {
		since = max(0, time.Since(h.Since).Seconds())
	}
	ch <- oldest.value(since, h.Name)
	ch <- paused.value(yes(h.Paused), h.Name)
	ch <- waits.times(&h.Waits, h.Name)
	ch <- attempts.times(&h.Attempts, h.Name)
}

// slotsWithin is how long the scheduler has to say how the schedules are.
const slotsWithin = 200 * time.Millisecond

// slots sends the metrics of the schedules. A scheduler that is stuck has its last ones, whose next slots are then late.
func (c *collector) slots(ctx context.Context, send func(*Metric, float64, ...string)) {
	ctx, cancel := context.WithTimeout(ctx, slotsWithin)
	defer cancel()
	if list, err := c.s.Schedules(ctx); err == nil {
		c.schedules = list
	}
	for i := range c.schedules {
		s := &c.schedules[i]
		isPaused := s.Paused || s.PausedByHand
		send(schedulePaused, yes(isPaused), s.Name)
		if !s.Last.IsZero() {
			send(lastSlot, unix(s.Last), s.Name)
		}
		if isPaused || s.Waiting {
			continue
		}
		if next := s.Upcoming(1); len(next) > 0 {
			send(nextSlot, unix(next[0].Fire), s.Name)
		}
	}
}

func yes(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
