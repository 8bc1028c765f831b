package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/api/ndjson"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/table"
	"evrun/events"
)

// shownRefusals is how many refused lines are shown; the others are counted.
const shownRefusals = 20

// sending sends the lines of a file, or the rows of a table.
type sending struct {
	*cli.Env
	name   string // the path of the file, or "-"; then the file's name for people
	from   string // what comes before it in messages
	access cli.Access
	lines  client.LinesOptions
	table  func() (table.Options, error) // of CSV; nil: the file is NDJSON
	taken  func(client.LineAnswer)       // counts a line that was not refused
	counts func() (text, things string, any bool)
	again  string    // why sending lines again is safe
	mend   string    // how to send refused lines when they are corrected; empty: nothing to say
	waits  string    // what waits if no daemon runs; empty: nothing
	notes  io.Writer // above the progress bar

	rejects       rejects
	sent, refused int
}

// run sends all.
func (b *sending) run(ctx context.Context) error {
	if b.lines.First < 1 {
		return cli.Usage("--from-line %d: lines count from 1", b.lines.First)
	}
	cfg, err := b.Settings()
	if err != nil {
		return err
	}
	in, size, err := b.open()
	if err != nil {
		return err
	}
	defer in.Close()
	read, notes, done := b.ReadBar(in, size)
	b.notes = notes
	began := time.Now()
	next, alone, err := b.send(ctx, cfg, read)
	took := time.Since(began)
	done()
	if cerr := b.rejects.close(); err == nil {
		err = cerr
	}
	if more := b.refused - shownRefusals; more > 0 {
		fmt.Fprintf(b.Err, "%s: %d more lines were refused\n", events.EscapeControl(b.name), more)
	}
	if any := b.summary(took); alone && any && b.waits != "" {
		b.NoteWaiting(b.waits, cfg)
	}
	switch {
	case err != nil:
		return b.broken(ctx, next, err)
	case b.refused > 0:
		if b.mend != "" {
			b.Note("%s", events.EscapeControl(b.mend))
		}
		return &cli.ExitError{Code: cli.ExitRefused, Err: fmt.Errorf("%s: %d of %d lines were refused", b.name, b.refused, b.refused+b.sent)}
	}
	return nil
}

// open opens the input; size is 0 where it isn't known.
func (b *sending) open() (in io.ReadCloser, size int64, err error) {
	if b.name == "-" {
		b.name = "standard input"
		return io.NopCloser(b.In), 0, nil
	}
	f, err := os.Open(b.name)
	if err != nil {
		return nil, 0, cli.Usage("%s%v", b.from, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = cli.Usage("%s%s: it is a directory", b.from, b.name)
	case b.rejects.path != "":
		if to, serr := os.Stat(b.rejects.path); serr == nil && os.SameFile(info, to) {
			err = cli.Usage("--rejects %s is the file that is read", b.rejects.path)
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
func (b *sending) send(ctx context.Context, cfg *config.Config, in io.Reader) (next int, alone bool, err error) {
	o := b.lines
	o.MaxData, o.Answered = cfg.Settings.Server.MaxEvent, b.answered
	if b.rejects.path != "" {
		o.TooLong = b.rejects.long
	}
	next = o.First
	var rows *csvRows
	if b.table != nil {
		if rows, err = b.rows(in, ndjson.MaxLine(o.MaxData)); err != nil {
			return next, false, err
		}
	}
	alone, err = b.Ask(ctx, cfg, b.access, func(c *client.Client) (err error) {
		if rows != nil {
			next, err = c.SendLines(ctx, rows, o)
			return err
		}
		next, err = c.EmitLines(ctx, in, o)
		return err
	})
	return next, alone, err
}

// answered counts and prints the result of a line.
func (b *sending) answered(a client.LineAnswer) error {
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
	default:
		b.sent++
		b.taken(a)
	}
	if b.JSON() {
		_, err := b.Out.Write(events.EscapeJSON(append(a.JSON, '\n')))
		return err
	}
	return nil
}

// summary reports whether there is anything that was taken.
func (b *sending) summary(took time.Duration) bool {
	counts, things, any := b.counts()
	rate := ""
	if s := took.Seconds(); s > 0 {
		rate = fmt.Sprintf(", %.0f %s/s", float64(b.sent)/s, things)
	}
	b.Note("%s: %s, %d refused in %.2f s%s", events.EscapeControl(b.name), counts, b.refused, took.Seconds(), rate)
	return any
}

// broken reports which lines are acknowledged, and how to continue.
func (b *sending) broken(ctx context.Context, next int, err error) error {
	var p *api.Problem
	code := cli.ExitFailed
	switch {
	case errors.Is(err, api.ErrNoDaemon), next == b.lines.First && !errors.Is(err, client.ErrBroke) && !errors.Is(err, client.ErrStopped):
		return err // nothing was sent, or nothing accepted
	case errors.Is(err, client.ErrStopped):
		code = cli.ExitInterrupted
	case errors.Is(err, client.ErrBroke):
		code = cli.ExitNoDaemon
	case errors.As(err, &p):
		code = b.Code(ctx, err)
	}
	up := fmt.Sprintf("lines %d to %d are acknowledged", b.lines.First, next-1)
	if next == b.lines.First {
		up = "no line is acknowledged"
	}
	fmt.Fprintf(b.Err, "evrun: %s: %v; %s, and line %d is the first that is not\n", events.EscapeControl(b.name), events.EscapeControl(err.Error()), up, next)
	again := b.again
	if p != nil {
		again = "nothing from that line on was accepted"
	}
	fmt.Fprintf(b.Err, "  hint: go on with --from-line %d; %s\n", next, again)
	return &cli.ExitError{Code: code, Err: err, Silent: true}
}
