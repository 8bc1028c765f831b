package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"evrun/store/meter"
)

// kinds of metrics.
const (
	counter   = prometheus.CounterValue
	gauge     = prometheus.GaugeValue
	histogram = prometheus.UntypedValue // as far as [Metric.value] is concerned: see [Metric.times]
)

// Metric is one of evrun's own metrics. The variables below are all of them: the scrape, the reference and the names in the dashboard and in the
// alerts are held to these by tests.
type Metric struct {
	Name   string
	Help   string
	Labels []string
	Kind   prometheus.ValueType // untyped: a histogram
	desc   *prometheus.Desc
}

// table has all metrics, in the order of their declaration.
var table []*Metric

func declare(kind prometheus.ValueType, name, help string, labels ...string) *Metric {
	m := &Metric{Name: name, Help: help, Labels: labels, Kind: kind, desc: prometheus.NewDesc(name, help, labels, nil)}
	table = append(table, m)
	return m
}

// All returns all metrics, in the order of their declaration.
func All() []*Metric { return table }

// value is a value of a counter or a gauge.
func (m *Metric) value(v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(m.desc, m.Kind, v, labels...)
}

// times is the value of a histogram.
func (m *Metric) times(h *meter.Histogram, labels ...string) prometheus.Metric {
	count, sum, atMost := h.Read()
	return prometheus.MustNewConstHistogram(m.desc, count, sum, atMost, labels...)
}

// The daemon.
var (
	buildInfo = declare(gauge, "evrun_build_info", "Always 1; the labels say which evrun this is, and with which Go it was built.", "version", "revision", "goversion")
	storeInfo = declare(gauge, "evrun_store_info", "Always 1; the label is the id of the daemon's store. Daemons that share a store have the same: what they say of it (waiting events, retrying and dead runs, schedules) counts once.", "store")
	ready     = declare(gauge, "evrun_ready", "1 while events are accepted: evrun is neither starting nor stopping, and the store has space. 0: senders are refused.")
	reloadOK  = declare(gauge, "evrun_config_last_reload_successful",
		"1 if the wiring file was right when it was last read, at the start or at a reload. 0: the file was refused, and the wiring from before goes on; evrun validate says why.")
	reloadAt = declare(gauge, "evrun_config_last_reload_success_timestamp_seconds", "When a right wiring file was last read, in seconds since 1970.")
)

// Events.
var (
	accepted = declare(counter, "evrun_events_accepted_total",
		"Events that were written to the journal, from outside, from schedules and from handlers. Their senders have an answer, and a kill loses none of them.")
	duplicates = declare(counter, "evrun_events_duplicate_total",
		"Events whose source and id were known: they were answered like the first one, and run nothing. Many of them mean that senders repeat what was accepted.")
	refused = declare(counter, "evrun_events_refused_total",
		"Events that were refused, by the reason that their sender was given: invalid (malformed, or a type or attribute that is not allowed), schema (the data breaks "+
			"the schema of the type), too_large, full (no space), busy (too many senders), stopping, unavailable (the store can't be written). A refused event is not stored.", "reason")
	hookRequests = declare(counter, "evrun_hook_requests_total",
		"Requests to hooks by what became of them: accepted (an event), duplicate (its event was known), ignored (the hook's when is false), challenge (a sender's question was "+
			"answered), or why they were refused: signature, secret, address, method, invalid, too-large, rate, schema, unavailable; unknown, with an empty hook: no hook has the name. "+
			"evrun hooks show lists the refused ones.", "hook", "result")
	connections        = declare(gauge, "evrun_connections", "Open connections to the socket.")
	tcpConnections     = declare(gauge, "evrun_tcp_connections", "Open connections to the TCP port. Absent without one (server.listen).")
	tcpRefused         = declare(counter, "evrun_tcp_connections_refused_total", "Connections to the TCP port that were refused or closed, because there were too many, in all or from one address (server.max_connections).")
	denied             = declare(counter, "evrun_requests_denied_total", "Requests to the TCP port that were refused, by reason: no_token (none, or one in the URL), wrong_token (unknown, revoked, expired or malformed), too_many (wrong ones from one address), no_right, wrong_host, foreign_origin, form, rate (a token's rate of events). Absent without a port.", "reason")
	certificateExpires = declare(gauge, "evrun_tls_certificate_expires_timestamp_seconds",
		"When the certificate of the TCP port expires, or one between it and the root, in seconds since 1970. Absent without one (server.tls).")
	streams = declare(gauge, "evrun_stream_readers", "Readers that follow the journal, such as evrun tail, and answers that follow an event, such as evrun emit --wait.")
	gaps    = declare(counter, "evrun_stream_gaps_total", "How often a reader was told that it has missed changes of runs, because they came faster than it read. It misses no events.")
	cutOff  = declare(counter, "evrun_stream_readers_cut_off_total", "Readers whose connection was closed because they read too slowly. They can go on where they were.")
)

// Handlers.
var (
	runs = declare(counter, "evrun_handler_runs_total",
		"Runs that ended, by the state in which they did: succeeded, skipped (the handler's condition was false), dead (the last attempt failed), cancelled. "+
			"It begins at 0 with the daemon, and when a handler comes into the wiring file.", "handler", "state")
	runsNow = declare(gauge, "evrun_handler_runs",
		"Runs that have not ended, by state: running, retrying (they wait for the next attempt), dead (they stay until somebody retries or drops them: evrun runs list --state dead).",
		"handler", "state")
	failures = declare(counter, "evrun_handler_attempts_failed_total",
		"Attempts that failed, whether or not the run is tried again. A handler whose failures grow while no run is dead recovers by retries.", "handler")
	backlog = declare(gauge, "evrun_handler_backlog_events",
		"Events that were accepted for the handler and wait for their first attempt. It goes back to 0 on a healthy handler; what grows for long is slower than its senders. "+
			"Events from before the daemon's start are an upper bound until they are reached.", "handler")
	oldest = declare(gauge, "evrun_handler_backlog_oldest_seconds", "How long the oldest of these events has waited since it was accepted; 0 if none waits.", "handler")
	paused = declare(gauge, "evrun_handler_paused", "1 while the handler is paused, or disabled in the wiring file: its events wait.", "handler")
	waits  = declare(histogram, "evrun_handler_queue_wait_seconds",
		"How long events waited from their acceptance to the beginning of their first attempt: for other attempts (concurrency), their order, a debounce or a rate, or a pause. "+
			"Events from before the daemon's start are left out.", "handler")
	attempts = declare(histogram, "evrun_handler_attempt_duration_seconds",
		"How long attempts took, for kinds that work outside of the store (exec, http, notify). Kinds that work inside of it share its commits.", "handler")
	unannounced = declare(counter, "evrun_dead_runs_unannounced_total",
		"Runs that are dead without an evrun.run.dead of their own, because they handled such an event themselves. Only the log has them.")
)

// The writer and the store.
var (
	commitTime = declare(histogram, "evrun_store_commit_duration_seconds",
		"How long the writer's transactions took, with the write to the disk. Under load many events share one; its upper end is the disk's, or a user statement's.")
	commitSize  = declare(histogram, "evrun_store_commit_writes", "How many events, attempts and results a transaction wrote. Many: the store is under load, and one write to the disk serves all of them.")
	writeErrors = declare(counter, "evrun_store_write_failures_total",
		"Transactions that failed and wrote nothing, by reason: full (no space), busy (another program holds the store), other (an error of a write itself, such as a refused event).", "reason")
	storeBytes    = declare(gauge, "evrun_store_file_bytes", "The size of the store's file, without its log; with PostgreSQL, of its tables and indexes.")
	freeBytes     = declare(gauge, "evrun_store_free_bytes", "Unused pages of the store's file: new data goes there first, and the file does not grow. With PostgreSQL it is an estimate.")
	oldestEvent   = declare(gauge, "evrun_store_oldest_event_timestamp_seconds", "When the oldest event that is kept was accepted, in seconds since 1970. Absent while there is none.")
	diskFree      = declare(gauge, "evrun_store_disk_free_bytes", "What is free for evrun on the file system of the store. Without space nothing is accepted. Not on all systems.")
	walBytes      = declare(gauge, "evrun_store_wal_bytes", "The size of the store's write-ahead log. It stays at a few megabytes, unless something reads the store for long.")
	walMax        = declare(gauge, "evrun_store_wal_max_bytes", "The bound of the log (store.wal_max). At the bound, nothing is accepted.")
	walHeld       = declare(gauge, "evrun_store_wal_held", "1 while another program reads the store for so long that the log's space can't be used again. evrun status names the program.")
	walFull       = declare(gauge, "evrun_store_wal_full", "1 while the log is at its bound (store.wal_max), and nothing is accepted.")
	walCheckpoint = declare(counter, "evrun_store_wal_checkpoints_total", "How often all of the log was in the store's file, and the log began anew. None for long, while events come: something holds the log.")
)

// Retention.
var (
	prunedEvents = declare(counter, "evrun_retention_pruned_events_total", "Events that were deleted because they were older than retention.events allows, or to keep to retention.size. It counts since the store was made.")
	prunedBytes  = declare(counter, "evrun_retention_pruned_bytes_total", "What the deleted events and their runs took, as far as known. The file gets smaller later, if at all.")
	prunedAt     = declare(gauge, "evrun_retention_last_pruned_timestamp_seconds", "When something was last deleted, in seconds since 1970. Absent if nothing ever was.")
	overBytes    = declare(gauge, "evrun_retention_over_bytes", "How far the store is above retention.size. Not 0 for long: dead, waiting or young runs keep what should go, and evrun prune --dry-run says which.")
	pruneFailed  = declare(gauge, "evrun_retention_failing", "1 if the last round of pruning ended with an error, which evrun status shows.")
	keptKeys     = declare(gauge, "evrun_retention_keys", "Deleted events of which the source and id are kept (retention.dedupe), so that they are not accepted again.")
	lostEvents   = declare(gauge, "evrun_retention_lost_events", "Deleted events that waited for handlers which have left the wiring file, and were never seen by them.")
)

// Schedules.
var (
	lateness = declare(histogram, "evrun_schedule_lateness_seconds",
		"How long after its time a slot's event was accepted, for all schedules. Slots that were missed, because evrun did not run, are not counted.")
	lastSlot = declare(gauge, "evrun_schedule_last_slot_timestamp_seconds", "The time of the last slot that was published, in seconds since 1970. Absent before the first.", "schedule")
	nextSlot = declare(gauge, "evrun_schedule_next_slot_timestamp_seconds",
		"When the next slot is due, in seconds since 1970. In the past: it is late. Absent while the schedule is paused, has ended, or waits for the runs of its last slot.", "schedule")
	schedulePaused = declare(gauge, "evrun_schedule_paused", "1 while the schedule is paused by hand or by the wiring file.", "schedule")
)

// The daemons that share a store.
var (
	nodes     = declare(gauge, "evrun_nodes", "Daemons that share the store, this one among them. Absent with a SQLite store, which has one daemon.")
	slotsHeld = declare(gauge, "evrun_handler_slots_held", "Of the 64 slots of a handler, how many this daemon has: it alone runs the handler on the events in them. Absent with a SQLite store.", "handler")
	slotsLost = declare(counter, "evrun_leases_lost_total",
		"Slots that this daemon has lost, because it could not renew its leases in the database in time. It has ended their attempts, and another daemon may repeat them. Absent with a SQLite store.", "handler")
	leads = declare(gauge, "evrun_lead", "1 at the daemon that does this for all that share the store: schedules, retention. Absent at the others, and with a SQLite store.", "lead")
)

// Spans.
var (
	spansSent = declare(counter, "evrun_spans_sent_total", "Spans that the collector has taken. 0 if none is configured (OTEL_EXPORTER_OTLP_ENDPOINT).")
	spansLost = declare(counter, "evrun_spans_lost_total",
		"Spans that the collector has not got, by reason: queue_full (more came than could be sent), not_sent (it could not be reached, or refused the request), "+
			"rejected (it refused some of a request). The events and runs themselves are not affected.", "reason")
)
