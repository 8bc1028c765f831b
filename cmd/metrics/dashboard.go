package metrics

import (
	"io"
	"strings"

	"evrun/events"
)

// The panels of the dashboard. In their expressions, {} stands for the chosen jobs and instances, {h} for the chosen handlers, too, RATE for the
// interval of rates, and OFSTORE gives a series the label of its daemon's store.

type row struct {
	title  string
	panels []panel
}

type panel struct {
	title, about string
	kind         string // stat, timeseries
	unit         string // Grafana's name
	lines        []line
	bad          float64 // of a stat: red from here on; negative: red below 1; 0: never
}

type line struct{ legend, expr string }

var dashboard = []row{
	{"Is it well?", []panel{
		{"Accepts events", "1: yes. 0: it starts, stops, or has no space.", "stat", "short", []line{{"{{instance}}", `evrun_ready{}`}}, -1},
		{"Dead runs", "They stay until somebody retries or drops them: evrun runs list --state dead.", "stat", "short", []line{{"", `sum(max by (store, handler) (evrun_handler_runs{h,state="dead"} OFSTORE))`}}, 1},
		{"Oldest event that waits", "Of handlers that are not paused.", "stat", "s", []line{{"", `max(evrun_handler_backlog_oldest_seconds{h} unless on (job, instance, handler) evrun_handler_paused{h} == 1)`}}, 900},
		{"Refused in an hour", "All reasons but stopping.", "stat", "short", []line{{"", `sum(increase(evrun_events_refused_total{,reason!="stopping"}[1h]))`}}, 1},
		{"Wiring file", "1: right. 0: refused, and the wiring from before goes on.", "stat", "short", []line{{"{{instance}}", `evrun_config_last_reload_successful{}`}}, -1},
		{"Late schedules", "Their slot is due for more than a minute.", "stat", "short", []line{{"", `sum((time() - max by (store, schedule) (evrun_schedule_next_slot_timestamp_seconds{} OFSTORE)) > bool 60) or vector(0)`}}, 1},
		{"Version", "", "stat", "short", []line{{"{{version}}", `evrun_build_info{}`}}, 0},
		{"Running since", "", "stat", "s", []line{{"{{instance}}", `time() - process_start_time_seconds{} * on (job, instance) group_left () evrun_build_info{}`}}, 0},
	}},
	{"Events", []panel{
		{"Accepted", "Events in the journal, per second, with those that schedules and handlers publish.", "timeseries", "ops", []line{
			{"accepted {{instance}}", `rate(evrun_events_accepted_total{}[RATE])`}, {"known already {{instance}}", `rate(evrun_events_duplicate_total{}[RATE])`},
		}, 0},
		{"Refused", "By reason. The sender was given the whole one.", "timeseries", "ops", []line{{"{{reason}}", `sum by (reason) (rate(evrun_events_refused_total{}[RATE]))`}}, 0},
		{"Refused by hooks", "By reason; evrun hooks show says more.", "timeseries", "ops", []line{{"{{hook}} {{result}}", `sum by (hook, result) (rate(evrun_hook_requests_total{result!~"accepted|duplicate|ignored|challenge"}[RATE])) > 0`}}, 0},
		{"Denied", "Requests by TCP without a valid token, without the right, or from elsewhere, by reason.", "timeseries", "ops", []line{{"{{reason}}", `sum by (reason) (rate(evrun_requests_denied_total{}[RATE]))`}}, 0},
		{"Readers", "Streams of the journal and of runs, and connections.", "timeseries", "short", []line{
			{"streams {{instance}}", `evrun_stream_readers{}`}, {"connections {{instance}}", `evrun_connections{}`}, {"TCP {{instance}}", `evrun_tcp_connections{}`},
			{"TCP, refused {{instance}}", `rate(evrun_tcp_connections_refused_total{}[5m])`},
		}, 0},
		{"Slow readers", "Gaps: a stream missed changes of runs. Cut off: its connection was closed.", "timeseries", "short", []line{
			{"gaps", `sum(increase(evrun_stream_gaps_total{}[RATE]))`}, {"cut off", `sum(increase(evrun_stream_readers_cut_off_total{}[RATE]))`},
		}, 0},
	}},
	{"Handlers", []panel{
		{"Runs that ended", "Per second, by state.", "timeseries", "ops", []line{{"{{state}}", `sum by (state) (rate(evrun_handler_runs_total{h}[RATE]))`}}, 0},
		{"Runs by handler", "", "timeseries", "ops", []line{{"{{handler}}", `sum by (handler) (rate(evrun_handler_runs_total{h}[RATE]))`}}, 0},
		{"Events that wait", "", "timeseries", "short", []line{{"{{handler}}", `sum by (handler) (max by (store, handler) (evrun_handler_backlog_events{h} OFSTORE))`}}, 0},
		{"The oldest waits for", "", "timeseries", "s", []line{{"{{handler}}", `max by (handler) (evrun_handler_backlog_oldest_seconds{h})`}}, 0},
		{"Unfinished and dead runs", "", "timeseries", "short", []line{
			{"{{handler}} {{state}}", `sum by (handler, state) (evrun_handler_runs{h,state="running"}) > 0`},
			{"{{handler}} {{state}}", `sum by (handler, state) (max by (store, handler, state) (evrun_handler_runs{h,state!="running"} OFSTORE)) > 0`},
		}, 0},
		{"Failed attempts", "Also those that were tried again, and those that are reported by the log alone.", "timeseries", "ops", []line{
			{"{{handler}}", `sum by (handler) (rate(evrun_handler_attempts_failed_total{h}[RATE]))`}, {"unannounced", `sum(rate(evrun_dead_runs_unannounced_total{}[RATE]))`},
		}, 0},
		{"From acceptance to the first attempt", "99 of 100 events wait less long.", "timeseries", "s", []line{{"{{handler}}", `histogram_quantile(0.99, sum by (handler, le) (rate(evrun_handler_queue_wait_seconds_bucket{h}[RATE])))`}}, 0},
		{"Attempts take", "Of kinds that work outside of the store; 95 of 100 are faster.", "timeseries", "s", []line{{"{{handler}}", `histogram_quantile(0.95, sum by (handler, le) (rate(evrun_handler_attempt_duration_seconds_bucket{h}[RATE])))`}}, 0},
		{"Paused handlers", "1: paused or disabled.", "timeseries", "short", []line{{"{{handler}}", `max by (handler) (evrun_handler_paused{h}) > 0`}}, 0},
	}},
	{"Writer and store", []panel{
		{"Commits", "Transactions per second, and those that failed.", "timeseries", "ops", []line{
			{"commits {{instance}}", `rate(evrun_store_commit_duration_seconds_count{}[RATE])`}, {"failed: {{reason}}", `sum by (reason) (rate(evrun_store_write_failures_total{}[RATE]))`},
		}, 0},
		{"A commit takes", "", "timeseries", "s", []line{
			{"99 of 100", `histogram_quantile(0.99, sum by (le) (rate(evrun_store_commit_duration_seconds_bucket{}[RATE])))`},
			{"half", `histogram_quantile(0.5, sum by (le) (rate(evrun_store_commit_duration_seconds_bucket{}[RATE])))`},
		}, 0},
		{"Writes in a commit", "Events, attempts and results that share one write to the disk, on average.", "timeseries", "short", []line{
			{"{{instance}}", `rate(evrun_store_commit_writes_sum{}[RATE]) / rate(evrun_store_commit_writes_count{}[RATE])`},
		}, 0},
		{"Size of the store", "", "timeseries", "bytes", []line{{"file {{instance}}", `evrun_store_file_bytes{}`}, {"free on the disk {{instance}}", `evrun_store_disk_free_bytes{}`}}, 0},
		{"Retention", "What was deleted, per hour; what is above retention.size; free pages of the file.", "timeseries", "bytes", []line{
			{"deleted {{instance}}", `increase(evrun_retention_pruned_bytes_total{}[1h])`}, {"above the bound {{instance}}", `evrun_retention_over_bytes{}`}, {"free pages {{instance}}", `evrun_store_free_bytes{}`},
		}, 0},
		{"Deleted events", "Per hour; keys that are kept; events that handlers which have left never saw; rounds that failed (1).", "timeseries", "short", []line{
			{"deleted {{instance}}", `increase(evrun_retention_pruned_events_total{}[1h])`}, {"keys {{instance}}", `evrun_retention_keys{}`},
			{"lost {{instance}}", `evrun_retention_lost_events{} > 0`}, {"failing {{instance}}", `evrun_retention_failing{} > 0`},
		}, 0},
		{"Oldest event, last deletion", "How long ago.", "timeseries", "s", []line{
			{"oldest {{instance}}", `time() - evrun_store_oldest_event_timestamp_seconds{}`}, {"last deletion {{instance}}", `time() - evrun_retention_last_pruned_timestamp_seconds{}`},
		}, 0},
		{"Write-ahead log", "At its bound nothing is accepted. Held: another program reads the store for long.", "timeseries", "bytes", []line{
			{"log {{instance}}", `evrun_store_wal_bytes{}`}, {"bound {{instance}}", `evrun_store_wal_max_bytes{}`},
			{"held or full {{instance}}", `(evrun_store_wal_held{} or evrun_store_wal_full{}) > 0`},
		}, 0},
		{"The log began anew", "All of it was in the store's file.", "timeseries", "ops", []line{{"{{instance}}", `rate(evrun_store_wal_checkpoints_total{}[RATE])`}}, 0},
		{"Memory", "", "timeseries", "bytes", []line{
			{"resident {{instance}}", `process_resident_memory_bytes{} * on (job, instance) group_left () evrun_build_info{}`},
			{"heap {{instance}}", `go_memstats_heap_inuse_bytes{} * on (job, instance) group_left () evrun_build_info{}`},
		}, 0},
		{"Processor", "Seconds per second.", "timeseries", "short", []line{{"{{instance}}", `rate(process_cpu_seconds_total{}[RATE]) * on (job, instance) group_left () evrun_build_info{}`}}, 0},
		{"Spans", "Per second, to the collector; lost ones by reason.", "timeseries", "ops", []line{
			{"sent {{instance}}", `rate(evrun_spans_sent_total{}[RATE])`}, {"lost: {{reason}}", `sum by (reason) (rate(evrun_spans_lost_total{}[RATE]))`},
		}, 0},
	}},
	{"Daemons of one store", []panel{
		{"Daemons", "Those that share a PostgreSQL store, as each of them sees it.", "timeseries", "short", []line{{"{{instance}}", `evrun_nodes{}`}}, 0},
		{"Slots", "A handler has 64; the daemon that has a slot runs the handler on its events.", "timeseries", "short", []line{{"{{handler}} {{instance}}", `evrun_handler_slots_held{h}`}}, 0},
		{"Leads", "Who fires the schedules, and who prunes.", "timeseries", "short", []line{{"{{lead}} {{instance}}", `evrun_lead{}`}}, 0},
		{"Lost slots", "Because a daemon could not renew its leases in time; another one may repeat the attempts.", "timeseries", "short", []line{{"{{handler}} {{instance}}", `increase(evrun_leases_lost_total{h}[RATE])`}}, 0},
	}},
	{"Schedules", []panel{
		{"Published after its time by", "99 of 100 slots are published sooner.", "timeseries", "s", []line{{"all", `histogram_quantile(0.99, sum by (le) (rate(evrun_schedule_lateness_seconds_bucket{}[RATE])))`}}, 0},
		{"The next slot is in", "Negative: it is late.", "timeseries", "s", []line{{"{{schedule}}", `min by (schedule) (evrun_schedule_next_slot_timestamp_seconds{}) - time()`}}, 0},
		{"The last slot was", "", "timeseries", "s", []line{{"{{schedule}}", `time() - max by (schedule) (evrun_schedule_last_slot_timestamp_seconds{})`}}, 0},
		{"Paused schedules", "", "timeseries", "short", []line{{"{{schedule}}", `max by (schedule) (evrun_schedule_paused{}) > 0`}}, 0},
		{"The wiring file was read", "", "timeseries", "s", []line{{"{{instance}}", `time() - evrun_config_last_reload_success_timestamp_seconds{}`}}, 0},
	}},
}

// text is the expression with its selectors.
func (l line) text() string {
	const chosen = `job=~"$job",instance=~"$instance"`
	return strings.NewReplacer("OFSTORE", ofStore+"{"+chosen+"}", "{h}", "{"+chosen+`,handler=~"$handler"}`, "{h,", "{"+chosen+`,handler=~"$handler",`, "{}", "{"+chosen+"}", "{,", "{"+chosen+",",
		"RATE", "$__rate_interval").Replace(l.expr)
}

type object = map[string]any

// WriteDashboard writes a dashboard for Grafana 9 and later: its import asks for the data source.
func WriteDashboard(w io.Writer) error {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	var panels []object
	y := 0
	for _, r := range dashboard {
		panels = append(panels, object{"type": "row", "title": r.title, "collapsed": false, "id": len(panels) + 1, "gridPos": object{"x": 0, "y": y, "w": 24, "h": 1}, "panels": []object{}})
		y++
		width, height := 12, 8
		if r.panels[0].kind == "stat" {
			width, height = 6, 4
		}
		for i, p := range r.panels {
			panels = append(panels, p.object(len(panels)+1, source, object{"x": i * width % 24, "y": y + i*width/24*height, "w": width, "h": height}))
		}
		y += (len(r.panels)*width + 23) / 24 * height
	}
	variable := func(name, query string) object {
		return object{"name": name, "label": name, "type": "query", "datasource": source, "query": object{"query": query, "refId": name}, "definition": query,
			"refresh": 2, "includeAll": true, "multi": true, "allValue": ".*", "current": object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}}
	}
	return events.IndentJSON(w, object{
		"title": "evrun", "uid": "evrun", "tags": []string{"evrun"}, "schemaVersion": 37, "version": 1, "editable": true, "refresh": "30s", "timezone": "",
		"time": object{"from": "now-6h", "to": "now"},
		"templating": object{"list": []object{
			{"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus", "refresh": 1, "current": object{}},
			variable("job", "label_values(evrun_build_info, job)"),
			variable("instance", `label_values(evrun_build_info{job=~"$job"}, instance)`),
			variable("handler", `label_values(evrun_handler_backlog_events{job=~"$job",instance=~"$instance"}, handler)`),
		}},
		"panels": panels,
	})
}

func (p panel) object(id int, source, at object) object {
	var targets []object
	for i, l := range p.lines {
		targets = append(targets, object{"refId": string(rune('A' + i)), "datasource": source, "expr": l.text(), "legendFormat": l.legend, "instant": p.kind == "stat"})
	}
	steps := []object{{"color": "green", "value": nil}}
	switch {
	case p.bad > 0:
		steps = append(steps, object{"color": "red", "value": p.bad})
	case p.bad < 0:
		steps = []object{{"color": "red", "value": nil}, {"color": "green", "value": 1}}
	}
	o := object{"id": id, "type": p.kind, "title": p.title, "description": p.about, "datasource": source, "gridPos": at, "targets": targets,
		"fieldConfig": object{"defaults": object{"unit": p.unit, "thresholds": object{"mode": "absolute", "steps": steps}}, "overrides": []object{}}}
	if p.title == "Version" {
		o["options"] = object{"textMode": "name"}
	}
	return o
}
