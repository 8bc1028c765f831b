// Package bulk publishes many events from a file: it sends their lines, names those that are refused, and keeps them for another try.
package bulk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/events"
)

// shownRefusals is how many refused lines are shown; the others are counted.
const shownRefusals = 20

// Emit is an emit of many events, as its flags describe it.
type Emit struct {
	NDJSON, CSV string // the path of the input, or "-" for standard input; one of them
	Comma       string
	Rejects     string // a path
	FromLine    int
}

// Flags adds the flags of bulk to those of emit.
func (o *Emit) Flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.NDJSON, "ndjson", "", "publish each line of this `FILE`; - is standard input")
	f.StringVar(&o.CSV, "csv", "", "publish each row of this `FILE`, as an event of TYPE; - is standard input")
	CommaFlag(c, &o.Comma)
	f.StringVar(&o.Rejects, "rejects", "", "with --ndjson or --csv: a `FILE` for the lines that are refused")
	f.IntVar(&o.FromLine, "from-line", 1, "with --ndjson or --csv: begin at this line")
}

// Given reports whether the flags ask for many events, and checks them and the arguments that go with them.
func (o *Emit) Given(c *cobra.Command, args []string) (bool, error) {
	lines, rows := c.Flags().Changed("ndjson"), c.Flags().Changed("csv")
	switch {
	case lines && rows:
		return true, cli.Usage("--ndjson and --csv: give one of them")
	case lines && len(args) > 0:
		return true, cli.Usage("emit --ndjson takes no event type: each line has its own")
	case rows && len(args) != 1:
		return true, cli.Usage("emit --csv takes the type of its events: emit TYPE --csv FILE")
	}
	for _, name := range []string{"rejects", "from-line"} {
		if c.Flags().Changed(name) && !lines && !rows {
			return false, cli.Usage("--%s goes with --ndjson or --csv", name)
		}
	}
	if c.Flags().Changed("comma") && !rows {
		return false, cli.Usage("--comma goes with --csv")
	}
	return lines || rows, nil
}

// flag is the one that names the input.
func (o *Emit) flag() string {
	if o.CSV != "" {
		return "--csv"
	}
	return "--ndjson"
}

// emitting is a running emit.
type emitting struct {
	*cli.Env
	*Emit
	event   *cli.EventFlags
	name    string    // of the input, for people
	notes   io.Writer // above the progress bar
	rejects rejects

	accepted, duplicates, refused int
}

// notWithLines are emit's flags for one event.
var notWithLines = []string{"data", "field", "json-field", "subject", "time", "ext", "wait", "dry-run"}

// Run publishes the lines of a file, or of standard input. event has what they share.
func (o *Emit) Run(ctx context.Context, e *cli.Env, event *cli.EventFlags) error {
	for _, name := range notWithLines {
		if e.Command.Flags().Changed(name) {
			return cli.Usage("--%s is for one event, and does not go with %s", name, o.flag())
		}
	}
	if o.FromLine < 1 {
		return cli.Usage("--from-line %d: lines count from 1", o.FromLine)
	}
	if e.Command.Flags().Changed("id") && event.ID == "" {
		return cli.Usage("--id is empty: leave it out for new ids")
	}
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	b := &emitting{Env: e, Emit: o, event: event, name: cmp.Or(o.CSV, o.NDJSON), rejects: rejects{path: o.Rejects}}
	in, size, err := b.open()
	if err != nil {
		return err
	}
	defer in.Close()
	read, notes, done := e.ReadBar(in, size)
	b.notes = notes
	began := time.Now()
	next, waits, err := b.send(ctx, cfg, read)
	took := time.Since(began)
	done()
	if cerr := b.rejects.close(); err == nil {
		err = cerr
	}
	if more := b.refused - shownRefusals; more > 0 {
		fmt.Fprintf(e.Err, "%s: %d more lines were refused\n", events.EscapeControl(b.name), more)
	}
	b.summary(took)
	if waits && b.accepted > 0 {
		e.NoteWaiting("the events wait", cfg)
	}
	switch {
	case err != nil:
		return b.broken(ctx, next, err)
	case b.refused > 0:
		return &cli.ExitError{Code: cli.ExitRefused, Err: fmt.Errorf("%s: %d of %d lines were refused", b.name, b.refused, b.refused+b.accepted+b.duplicates)}
	}
	return nil
}

// open opens the input; size is 0 where it isn't known.
func (b *emitting) open() (in io.ReadCloser, size int64, err error) {
	if b.name == "-" {
		b.name = "standard input"
		return io.NopCloser(b.In), 0, nil
	}
	f, err := os.Open(b.name)
	if err != nil {
		return nil, 0, cli.Usage("%s: %v", b.flag(), err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = cli.Usage("%s %s: it is a directory", b.flag(), b.name)
	case b.Rejects != "":
		if to, serr := os.Stat(b.Rejects); serr == nil && os.SameFile(info, to) {
			err = cli.Usage("--rejects %s is the file that is read", b.Rejects)
		}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}

// send sends the lines to the daemon or, without a daemon, writes them to the store.
func (b *emitting) send(ctx context.Context, cfg *config.Config, in io.Reader) (next int, waits bool, err error) {
	o := client.LinesOptions{
		LineDefaults: api.LineDefaults{Source: b.event.Source, ID: b.event.ID, First: b.FromLine}, MaxData: cfg.Settings.Server.MaxEvent,
		Answered: b.answered,
	}
	if b.rejects.path != "" {
		o.TooLong = b.rejects.long
	}
	next = b.FromLine
	var rows *csvRows
	if b.CSV != "" {
		if rows, err = b.rows(in, o.MaxData); err != nil {
			return next, false, err
		}
		b.rejects.head = rows.table.Header()
	}
	waits, err = b.Ask(ctx, cfg, cli.Publishes, func(c *client.Client) (err error) {
		if rows != nil {
			next, err = c.SendLines(ctx, rows, o)
			return err
		}
		next, err = c.EmitLines(ctx, in, o)
		return err
	})
	return next, waits, err
}

// answered counts and prints the result of a line.
func (b *emitting) answered(a client.LineAnswer) error {
	switch {
	case a.Problem != nil:
		b.refused++
		if b.refused <= shownRefusals {
			fmt.Fprintf(b.notes, "%s:%d: %s\n", events.EscapeControl(b.name), a.Number, events.EscapeControl(a.Problem.Error()))
		}
		if a.Text != nil {
			if err := b.rejects.put(a.Text); err != nil {
				return err
			}
		}
	case a.Duplicate:
		b.duplicates++
	default:
		b.accepted++
	}
	if b.JSON() {
		_, err := b.Out.Write(events.EscapeJSON(append(a.JSON, '\n')))
		return err
	}
	return nil
}

func (b *emitting) summary(took time.Duration) {
	rate := ""
	if s := took.Seconds(); s > 0 {
		rate = fmt.Sprintf(", %.0f events/s", float64(b.accepted+b.duplicates)/s)
	}
	b.Note("%s: %d accepted, %d duplicates, %d refused in %.2f s%s", events.EscapeControl(b.name), b.accepted, b.duplicates, b.refused, took.Seconds(), rate)
}

// broken reports which lines are acknowledged, and how to continue.
func (b *emitting) broken(ctx context.Context, next int, err error) error {
	var p *api.Problem
	code := cli.ExitFailed
	switch {
	case errors.Is(err, api.ErrNoDaemon), next == b.FromLine && !errors.Is(err, client.ErrBroke) && !errors.Is(err, client.ErrStopped):
		return err // nothing was sent, or nothing accepted
	case errors.Is(err, client.ErrStopped):
		code = cli.ExitInterrupted
	case errors.Is(err, client.ErrBroke):
		code = cli.ExitNoDaemon
	case errors.As(err, &p):
		code = b.Code(ctx, err)
	}
	up := fmt.Sprintf("lines %d to %d are acknowledged", b.FromLine, next-1)
	if next == b.FromLine {
		up = "no line is acknowledged"
	}
	fmt.Fprintf(b.Err, "evrun: %s: %v; %s, and line %d is the first that is not\n", events.EscapeControl(b.name), events.EscapeControl(err.Error()), up, next)
	again := "lines that have an id, or with --id, are not accepted twice"
	if p != nil {
		again = "nothing from that line on was accepted"
	}
	fmt.Fprintf(b.Err, "  hint: go on with --from-line %d; %s\n", next, again)
	return &cli.ExitError{Code: code, Err: err, Silent: true}
}
