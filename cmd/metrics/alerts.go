package metrics

import (
	"fmt"
	"io"
	"strings"

	"evrun/events"
)

// Alert is a rule for Prometheus.
type Alert struct {
	Name        string `json:"alert"`
	Expr        string `json:"expr"` // JOB is the name of the job that scrapes evrun, and OFSTORE gives a series the label of its daemon's store
	For         string `json:"for"`
	Severity    string `json:"severity"`    // critical: events are refused or lost sight of; warning: somebody should look within a day
	Summary     string `json:"summary"`     // of one alert; may use its labels
	Description string `json:"description"` // what it means, and what to do
}

// Alerts are the rules that evrun proposes.
var Alerts = []Alert{
	{
		Name: "EvrunDown", For: "3m", Severity: "critical",
		Expr:    `up{job="JOB"} == 0 or (absent(up{job="JOB"}) and absent(evrun_build_info)) or (time() - node_textfile_mtime_seconds{file=~".*/evrun[^/]*"}) > 300`,
		Summary: "evrun answers no scrape",
		Description: "The daemon has not answered for 3 minutes, or the file of `evrun metrics --to` is older than 5 minutes. Senders get \"no daemon\" or write into the journal by themselves; " +
			"nothing is lost that was accepted. `evrun status` and the service's log say more.",
	},
	{
		Name: "EvrunNotReady", For: "3m", Severity: "critical",
		Expr:        `evrun_ready == 0`,
		Summary:     "evrun on {{ $labels.instance }} accepts no events",
		Description: "It has been starting, stopping, or without space for 3 minutes. `evrun status` says which, and `evrun_store_wal_full`, `evrun_store_disk_free_bytes` and `evrun_store_write_failures_total` show it.",
	},
	{
		Name: "EvrunStuck", For: "10m", Severity: "critical",
		Expr: `(sum by (job, store) (rate(evrun_store_commit_duration_seconds_count[10m]) OFSTORE) == 0)` +
			` and on (job, store) (max by (job, store) ((evrun_handler_backlog_events unless on (job, instance, handler) evrun_handler_paused == 1) OFSTORE) > 0)` +
			` and on (job, store) (sum by (job, store) (evrun_handler_runs{state="running"} OFSTORE) == 0)`,
		Summary:     "evrun has accepted events and commits nothing (job {{ $labels.job }}, store {{ $labels.store }})",
		Description: "Events wait for handlers that are not paused, no attempt is running, and no daemon of the store has written anything for 10 minutes. The disk, the database or a statement holds the writer: look at the daemon's log, then restart it. What was accepted is kept.",
	},
	{
		Name: "EvrunDeadRuns", For: "1m", Severity: "warning",
		Expr:        `max by (job, store, handler) (evrun_handler_runs{state="dead"} OFSTORE) > 0`,
		Summary:     "{{ $value }} runs of {{ $labels.handler }} are dead",
		Description: "Their last attempt failed, and they stay until somebody acts: `evrun runs list --state dead --handler {{ $labels.handler }}` shows why, `evrun runs retry` and `evrun runs drop` end it.",
	},
	{
		Name: "EvrunBacklogOld", For: "5m", Severity: "warning",
		Expr:        `max by (job, store, handler) ((evrun_handler_backlog_oldest_seconds unless on (job, instance, handler) evrun_handler_paused == 1) OFSTORE) > 900`,
		Summary:     "{{ $labels.handler }} is {{ $value | humanizeDuration }} behind",
		Description: "The oldest event that waits for it was accepted more than 15 minutes ago. Its attempts are slow or fail, or more comes than it can do: `evrun handlers show {{ $labels.handler }}`; a higher `concurrency` may help.",
	},
	{
		Name: "EvrunHandlerPaused", For: "1h", Severity: "warning",
		Expr:        `max by (job, store, handler) ((evrun_handler_backlog_events and on (job, instance, handler) evrun_handler_paused == 1) OFSTORE) > 0`,
		Summary:     "{{ $labels.handler }} is paused, and {{ $value }} events wait for it",
		Description: "It was paused, is disabled in the wiring file, or returned to it late. `evrun handlers show {{ $labels.handler }}` says who did it; `evrun handlers resume {{ $labels.handler }}` continues it.",
	},
	{
		Name: "EvrunRefusesEvents", For: "0s", Severity: "warning",
		Expr:        `sum by (job, instance, reason) (increase(evrun_events_refused_total{reason!="stopping"}[10m])) > 0`,
		Summary:     "{{ $value | humanize }} events were refused in 10 minutes: {{ $labels.reason }}",
		Description: "Their senders were given the whole reason, and the events are not stored. invalid, schema, too_large: a sender is wrong. full, busy, unavailable: evrun had no room, and senders should try again.",
	},
	{
		Name: "EvrunHookRefuses", For: "0s", Severity: "warning",
		Expr: `sum by (job, instance, hook, result) (increase(evrun_hook_requests_total{result=~"secret|invalid|too-large|rate|schema"}[1h])) > 0` +
			` or sum by (job, instance, hook, result) (increase(evrun_hook_requests_total{result="signature"}[1h])) > 0` +
			` unless on (job, instance, hook) sum by (job, instance, hook) (increase(evrun_hook_requests_total{result=~"accepted|duplicate|ignored"}[1h])) > 0`,
		Summary: "the hook {{ $labels.hook }} refused {{ $value | humanize }} requests in an hour: {{ $labels.result }}",
		Description: "They made no event, and few senders send them again for long. `evrun hooks show {{ $labels.hook }}` says why, and who sent them. signature: not one request was signed " +
			"as it must be, so a secret may have changed on one side; next to requests that are, wrong ones are strangers', and no reason to alert. secret: evrun can't read its own.",
	},
	{
		Name: "EvrunScheduleLate", For: "2m", Severity: "warning",
		Expr:        `time() - max by (job, store, schedule) (evrun_schedule_next_slot_timestamp_seconds OFSTORE) > 60`,
		Summary:     "{{ $labels.schedule }} is {{ $value | humanizeDuration }} late",
		Description: "A slot is due and was not published. The store takes nothing, or the daemon hangs: `evrun schedules show {{ $labels.schedule }}` and the daemon's log.",
	},
	{
		Name: "EvrunDiskFullSoon", For: "30m", Severity: "warning",
		Expr:        `predict_linear(evrun_store_disk_free_bytes[6h], 24 * 3600) < 0`,
		Summary:     "the disk of evrun's store on {{ $labels.instance }} will be full within a day",
		Description: "As it has gone for 6 hours. Then nothing is accepted until there is space. `retention` in the wiring file bounds the store (see `evrun prune --dry-run`); something else may fill the disk.",
	},
	{
		Name: "EvrunLogLarge", For: "10m", Severity: "warning",
		Expr:        `evrun_store_wal_bytes > 0.5 * evrun_store_wal_max_bytes`,
		Summary:     "the write-ahead log of evrun's store on {{ $labels.instance }} has {{ $value | humanize1024 }}B",
		Description: "It is at more than half of its bound (store.wal_max), where nothing is accepted any more. A program reads the store for long: `evrun status` names it.",
	},
	{
		Name: "EvrunCertificateExpires", For: "1h", Severity: "warning",
		Expr:        `evrun_tls_certificate_expires_timestamp_seconds - time() < 7 * 24 * 3600`,
		Summary:     "the certificate of evrun's TCP port on {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
		Description: "What renews it has not done so, or evrun can't read what it wrote: `evrun status` says which. A new pair of files takes effect with the next connection, without a restart.",
	},
	{
		Name: "EvrunConnectionsRefused", For: "5m", Severity: "warning",
		Expr:        `increase(evrun_tcp_connections_refused_total[10m]) > 0`,
		Summary:     "{{ $value | humanize }} connections to evrun's TCP port on {{ $labels.instance }} were refused in 10 minutes",
		Description: "There were more than server.max_connections, or more than a quarter of them came from one address. The socket is not concerned. Behind a proxy, name it in server.trusted_proxies.",
	},
	{
		Name: "EvrunRetentionBehind", For: "6h", Severity: "warning",
		Expr:        `evrun_retention_failing == 1 or evrun_retention_over_bytes > 0`,
		Summary:     "evrun's store on {{ $labels.instance }} is not pruned as retention says",
		Description: "For 6 hours rounds of pruning have failed, or the store was above `retention.size`. `evrun status` has the error, `evrun prune --dry-run` says what is kept and why: most often dead runs, until they are retried or dropped.",
	},
	{
		Name: "EvrunReloadFailing", For: "10m", Severity: "warning",
		Expr:        `evrun_config_last_reload_successful == 0`,
		Summary:     "evrun's wiring file on {{ $labels.instance }} is wrong",
		Description: "The wiring from before goes on; a restart would fail. `evrun validate` shows each fault with its place.",
	},
}

// ofStore gives each series of a daemon the label store. What several daemons say of the store that they share, such as its dead runs, counts once then.
const ofStore = "* on (job, instance) group_left (store) evrun_store_info"

// WriteAlerts writes the rules as a file for Prometheus' rule_files, or in JSON, one a line. job is the name of the job that scrapes evrun.
func WriteAlerts(w io.Writer, job string, asJSON bool) error {
	var b strings.Builder
	if !asJSON {
		b.WriteString("# Alerts for evrun, written by: evrun metrics alerts\ngroups:\n  - name: evrun\n    rules:\n")
	}
	for _, a := range Alerts {
		a.Expr = strings.NewReplacer("JOB", job, "OFSTORE", ofStore).Replace(a.Expr)
		if asJSON {
			if err := events.WriteJSON(&b, a); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(&b, "      - alert: %s\n        expr: %s\n        for: %s\n        labels: {severity: %s}\n        annotations:\n          summary: %s\n          description: %s\n",
			a.Name, quoted(a.Expr), a.For, a.Severity, quoted(a.Summary), quoted(a.Description))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted is a string of YAML in single quotes, in which nothing but a quote is special.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
