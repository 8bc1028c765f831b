package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/output"
	"evrun/cmd/wiringtest"
	"evrun/events"
)

type testOptions struct {
	*cli.Env
	run   string
	junit string
}

func newTestCmd(e *cli.Env) *cobra.Command {
	o := &testOptions{Env: e}
	c := &cobra.Command{
		Use:   "test [FILE]",
		Short: "Run the wiring file's tests",
		Long: `Runs the tests that the wiring file has under "tests": events come in, and the runs, users and events that follow are compared
with what the test expects. Each test has a store of its own that is thrown away. What writes to evrun's own database runs for real;
handlers that act on the outside (log, notify, …) are replaced by the test's stubs. Retries don't wait, and the clock stands still.

The store is a SQLite file, or, where sql handlers have statements for a PostgreSQL store, a new database on its server, which is
dropped afterwards. The user needs the right CREATEDB; EVRUN_STORE names another server, such as one of the CI.

Exit 1 when a test fails, 78 when the file is wrong.`,
		Example: `  evrun test -c config.example.yaml
  evrun test --run 'sign-up' --junit report.xml`,
		Args:              e.FileArg,
		ValidArgsFunction: cli.CompleteFile,
		RunE:              func(c *cobra.Command, _ []string) error { return runTest(c.Context(), o) },
	}
	c.Flags().StringVar(&o.run, "run", "", "only the tests whose name matches this regular expression")
	_ = c.RegisterFlagCompletionFunc("run", e.CompleteTests) // an error means that the flag does not exist
	c.Flags().StringVar(&o.junit, "junit", "", "write a JUnit XML report to this `FILE`, too")
	return c
}

func runTest(ctx context.Context, o *testOptions) error {
	only, err := regexp.Compile(o.run)
	if err != nil {
		return cli.Usage("--run %q: %v", o.run, err)
	}
	cfg, err := o.Load()
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if o.Verbose {
		log = o.NewLogger(cfg.Settings)
	}
	var results []wiringtest.Result
	failed := 0
	for _, t := range cfg.Wiring.Tests {
		if !only.MatchString(t.Name) {
			continue
		}
		r := wiringtest.Run(ctx, cfg, t, log)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.Err != nil {
			r.Err = errors.New(cfg.Secrets.Redact(r.Err.Error()))
		}
		if !r.OK() {
			failed++
		}
		results = append(results, r)
		if err := o.result(r); err != nil {
			return err
		}
	}
	if o.junit != "" {
		if err := wiringtest.WriteJUnit(o.junit, cfg.Path, results); err != nil {
			return fmt.Errorf("--junit: %w", err)
		}
	}
	switch {
	case len(cfg.Wiring.Tests) == 0:
		o.Note("%s has no tests", cfg.Path)
		return nil
	case len(results) == 0:
		return cli.Usage("--run %q: no test has such a name", o.run)
	}
	if !o.JSON() {
		summary := fmt.Sprintf("%d passed", len(results)-failed)
		if failed > 0 {
			summary += fmt.Sprintf(", %d failed", failed)
		}
		if _, err := fmt.Fprintln(o.Out, summary); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: errors.New("a test failed"), Silent: true}
	}
	return nil
}

// result prints the result of a test.
func (o *testOptions) result(r wiringtest.Result) error {
	if o.JSON() {
		shape := map[string]any{"name": r.Name, "place": r.Place, "ok": r.OK(), "seconds": r.Duration.Seconds()}
		if r.Err != nil {
			shape["error"] = r.Err.Error()
		}
		if r.Differences != nil {
			shape["differences"] = r.Differences
		}
		return o.PrintJSON(map[string]any{"test": shape})
	}
	p := o.Printer()
	var b strings.Builder
	verdict := p.Paint(output.Green, "ok  ")
	if !r.OK() {
		verdict = p.Paint(output.Red, "FAIL")
	}
	fmt.Fprintf(&b, "%s  %s  %s\n", verdict, events.EscapeControl(r.Name), p.Paint(output.Dim, r.Duration.Round(time.Millisecond).String()))
	if r.Err != nil {
		fmt.Fprintf(&b, "      %s\n", events.EscapeControl(r.Err.Error()))
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "      %s: %s\n", events.EscapeControl(d.Place), events.EscapeControl(d.What))
		fmt.Fprintf(&b, "        expected  %s\n", p.Paint(output.Green, events.EscapeControl(d.Expected)))
		fmt.Fprintf(&b, "        got       %s\n", p.Paint(output.Red, events.EscapeControl(d.Got)))
	}
	_, err := o.Out.Write([]byte(b.String()))
	return err
}
