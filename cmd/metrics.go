package cmd

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/metrics"
	"evrun/store/files"
)

func newMetricsCmd(e *cli.Env) *cobra.Command {
	c := cli.Group(&cobra.Command{
		Use:   "metrics",
		Short: "Print the daemon's metrics for Prometheus, a Grafana dashboard, or alerts",
		Long: `Prints the metrics of the daemon, in Prometheus' text format: what GET /metrics on its socket answers. Each has a line that says what it
means. Exit 69 when no daemon runs.

Prometheus cannot scrape a socket. With --to the metrics are written to a file, which is replaced at once and readable by all: a schedule
or a timer that runs "evrun metrics --to /var/lib/node_exporter/evrun.prom" gives them to node_exporter's textfile collector. Where no daemon
answers, the file stays as it was, and its age tells. By hand: curl --unix-socket evrun.sock http://evrun/metrics`,
		Example: `  evrun metrics
  evrun metrics --to /var/lib/node_exporter/evrun.prom
  evrun metrics dashboard > evrun.json`,
	}, newMetricsDashboardCmd(e), newMetricsAlertsCmd(e))
	to := ""
	c.RunE = func(c *cobra.Command, _ []string) error { return runMetrics(c.Context(), e, to) }
	c.Flags().StringVar(&to, "to", "", "write to this `FILE`, at once and whole")
	return c
}

func runMetrics(ctx context.Context, e *cli.Env, to string) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	text, err := cli.ClientOf(cfg).Metrics(ctx)
	switch {
	case err != nil:
		return err
	case to != "":
		return files.Replace(to, text) // which a collector, another user, reads
	case e.JSON():
		return metrics.WriteJSON(e.Out, text)
	}
	_, err = e.Out.Write(text)
	return err
}

func newMetricsDashboardCmd(e *cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "dashboard",
		Short:   "Print a Grafana dashboard of the metrics",
		Example: "  evrun metrics dashboard > evrun.json",
		Long: `Prints a dashboard in JSON, for Dashboards, New, Import in Grafana 9 and later. It asks for the Prometheus to read, and has variables for
jobs, instances and handlers. It needs no daemon.`,
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error { return metrics.WriteDashboard(e.Out) },
	}
}

func newMetricsAlertsCmd(e *cli.Env) *cobra.Command {
	job := "evrun"
	c := &cobra.Command{
		Use:   "alerts",
		Short: "Print alert rules for Prometheus",
		Example: `  evrun metrics alerts > /etc/prometheus/evrun.rules.yaml
  evrun metrics alerts --job shop`,
		Long: `Prints rules for rule_files of Prometheus, each with what it means and what to do. They are a beginning: change their numbers to your needs.
With -o json, a rule a line. It needs no daemon.`,
		Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if strings.ContainsFunc(job, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) {
				return cli.Usage("--job %q: the name of a job has no quotes, backslashes and line ends", job)
			}
			return metrics.WriteAlerts(e.Out, job, e.JSON())
		},
	}
	c.Flags().StringVar(&job, "job", job, "the `NAME` of the job that scrapes evrun")
	return c
}
