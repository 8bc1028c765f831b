package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/events"
)

// shownRefusals is how many refused lines are shown; the others are counted.
const shownRefusals = 20

// bulk is a running emit of NDJSON.
type bulk struct {
	*emitOptions
	name    string    // of the input, for people
	notes   io.Writer // above the progress bar
	rejects rejects

	accepted, duplicates, refused int
}

// notWithLines are emit's flags for one event.
var notWithLines = []string{"data", "field", "json-field", "subject", "time", "ext", "wait", "dry-run"}

// runBulk publishes the lines of a file, or of standard input.
func runBulk(ctx context.Context, o *emitOptions) error {
	for _, name := range notWithLines {
		if o.Command.Flags().Changed(name) {
			return cli.Usage("--%s is for one event, and does not go with --ndjson", name)
		}
	}
	if o.fromLine < 1 {
		return cli.Usage("--from-line %d: lines count from 1", o.fromLine)
	}
	if o.Command.Flags().Changed("id") && o.ID == "" {
		return cli.Usage("--id is empty: leave it out for new ids")
	}
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	b := &bulk{emitOptions: o, name: o.ndjson, rejects: rejects{path: o.rejects}}
	in, size, err := b.open()
	if err != nil {
		return err
	}
	defer in.Close()
	read, notes, done := o.ReadBar(in, size)
	b.notes = notes
	began := time.Now()
	next, waits, err := b.send(ctx, cfg, read)
	took := time.Since(began)
	done()
	if cerr := b.rejects.close(); err == nil {
		err = cerr
	}
	if more := b.refused - shownRefusals; more > 0 {
		fmt.Fprintf(o.Err, "%s: %d more lines were refused\n", events.EscapeControl(b.name), more)
	}
	b.summary(took)
	if waits && b.accepted > 0 {
		o.NoteWaiting("the events wait", cfg)
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
func (b *bulk) open() (in io.ReadCloser, size int64, err error) {
	if b.ndjson == "-" {
		b.name = "standard input"
		return io.NopCloser(b.In), 0, nil
	}
	f, err := os.Open(b.ndjson)
	if err != nil {
		return nil, 0, cli.Usage("--ndjson: %v", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = cli.Usage("--ndjson %s: it is a directory", b.ndjson)
	case b.emitOptions.rejects != "":
		if to, serr := os.Stat(b.emitOptions.rejects); serr == nil && os.SameFile(info, to) {
			err = cli.Usage("--rejects %s is the file that is read", b.emitOptions.rejects)
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
func (b *bulk) send(ctx context.Context, cfg *config.Config, in io.Reader) (next int, waits bool, err error) {
	o := client.LinesOptions{
		LineDefaults: api.LineDefaults{Source: b.Source, ID: b.ID, First: b.fromLine}, MaxData: cfg.Settings.Server.MaxEvent,
		Answered: b.answered,
	}
	if b.rejects.path != "" {
		o.TooLong = b.rejects.long
	}
	next = b.fromLine
	waits, err = b.Ask(ctx, cfg, cli.Publishes, func(c *client.Client) (err error) {
		next, err = c.EmitLines(ctx, in, o)
		return err
	})
	return next, waits, err
}

// answered counts and prints the result of a line.
func (b *bulk) answered(a client.LineAnswer) error {
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

func (b *bulk) summary(took time.Duration) {
	rate := ""
	if s := took.Seconds(); s > 0 {
		rate = fmt.Sprintf(", %.0f events/s", float64(b.accepted+b.duplicates)/s)
	}
	b.Note("%s: %d accepted, %d duplicates, %d refused in %.2f s%s", events.EscapeControl(b.name), b.accepted, b.duplicates, b.refused, took.Seconds(), rate)
}

// broken reports which lines are acknowledged, and how to continue.
func (b *bulk) broken(ctx context.Context, next int, err error) error {
	var p *api.Problem
	code := cli.ExitFailed
	switch {
	case errors.Is(err, api.ErrNoDaemon), next == b.fromLine && !errors.Is(err, client.ErrBroke) && !errors.Is(err, client.ErrStopped):
		return err // nothing was sent, or nothing accepted
	case errors.Is(err, client.ErrStopped):
		code = cli.ExitInterrupted
	case errors.Is(err, client.ErrBroke):
		code = cli.ExitNoDaemon
	case errors.As(err, &p):
		code = b.Code(ctx, err)
	}
	up := fmt.Sprintf("lines %d to %d are acknowledged", b.fromLine, next-1)
	if next == b.fromLine {
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

// rejects is the file of the refused lines. It is made for the first of them; an existing file is appended to.
type rejects struct {
	path string // empty: refused lines are not kept

	mu sync.Mutex
	f  *os.File
}

func (r *rejects) put(line []byte) error {
	if r.path == "" {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(append(line, '\n'))
}

// write must be called with mu locked.
func (r *rejects) write(text []byte) (err error) {
	if r.f == nil {
		if r.f, err = os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return fmt.Errorf("--rejects: %w", err)
		}
	}
	if _, err := r.f.Write(text); err != nil {
		return fmt.Errorf("--rejects: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return nil
	}
	return r.f.Close()
}

// long returns a writer for a line that is too long for memory; other lines wait until it is closed.
func (r *rejects) long() io.WriteCloser {
	r.mu.Lock()
	return (*longReject)(r)
}

type longReject rejects

func (l *longReject) Write(part []byte) (int, error) { return len(part), (*rejects)(l).write(part) }

func (l *longReject) Close() error {
	l.mu.Unlock()
	return nil
}
