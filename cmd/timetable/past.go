package timetable

import (
	"context"
	"fmt"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/events"
	"evrun/tasks/fault"
)

// Past are the past slots of a schedule to publish, as flags give them.
type Past struct {
	From, To string // To may be "": now
	DryRun   bool   // only show them
	Yes      bool   // don't ask
}

// backfilled is the result of a backfill.
type backfilled struct {
	Schedule string      `json:"schedule"`
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to"`
	Count    int64       `json:"count"`
	First    []time.Time `json:"first"`
	Fired    int         `json:"fired"`
	Known    int         `json:"known"` // published before
	Failed   int         `json:"failed"`
	Failure  string      `json:"failure,omitempty"`
}

// Publish publishes past slots of a schedule, after it showed which and asked.
func (o Past) Publish(ctx context.Context, e *cli.Env, name string) error {
	now := time.Now()
	from, err := cli.ParseTime("--from", o.From, time.Local, now)
	if err != nil {
		return err
	}
	request := api.Backfill{From: from}
	if o.To != "" {
		to, err := cli.ParseTime("--to", o.To, time.Local, now)
		if err != nil {
			return err
		}
		if !from.Before(to) {
			return cli.Usage("--to %s is not after --from %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
		}
		request.To = &to
	}
	if !from.Before(now) {
		return cli.Usage("--from %s lies ahead: only slots that have passed are published again; the others come by themselves", from.Format(time.RFC3339))
	}
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	var done backfilled
	alone, err := e.Ask(ctx, cfg, cli.Publishes, func(c *client.Client) error { return o.publish(ctx, e, c, name, request, &done) })
	if err != nil {
		if done.Fired+done.Known > 0 {
			e.Note("%d of %d slots published, and %d that were published before; the same command goes on", done.Fired, done.Count, done.Known)
		}
		return err
	}
	if e.JSON() {
		if err := e.PrintJSON(done); err != nil {
			return err
		}
	} else if !o.DryRun && done.Count > 0 {
		text := fmt.Sprintf("%s published", fault.Plural(done.Fired, "slot"))
		if done.Known > 0 {
			text += fmt.Sprintf(", %d published before", done.Known)
		}
		if _, err := fmt.Fprintln(e.Out, text); err != nil {
			return err
		}
	}
	if alone && done.Fired > 0 {
		e.NoteWaiting("the events wait", cfg)
	}
	if done.Failed > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: fmt.Errorf("%s can't be published: %s", fault.Plural(done.Failed, "slot"), done.Failure)}
	}
	return nil
}

// publish shows the slots, asks, and publishes page after page.
func (o Past) publish(ctx context.Context, e *cli.Env, c *client.Client, name string, request api.Backfill, done *backfilled) error {
	request.DryRun = true
	page, err := c.Backfill(ctx, name, request)
	if err != nil {
		return err
	}
	*done = backfilled{Schedule: page.Schedule, From: page.From, To: page.To, Count: page.Count, First: page.First}
	to := e.Err
	if o.DryRun {
		to = e.Out
	}
	if !e.JSON() && (o.DryRun || !e.Quiet || !o.Yes) {
		if _, err := fmt.Fprint(to, described(e, page)); err != nil {
			return err
		}
	}
	if o.DryRun || page.Count == 0 {
		return nil
	}
	if !o.Yes {
		if err := e.Confirm(ctx, "Publish those that were not published before?", "it publishes "+fault.Plural(int(page.Count), "slot"), "nothing was published"); err != nil {
			return err
		}
	}
	request.DryRun, request.To = false, &page.To
	p := e.Progress()
	defer p.Clear()
	for total := 0; ; {
		if page, err = c.Backfill(ctx, name, request); err != nil {
			return err
		}
		total += page.Done
		done.Fired, done.Known, done.Failed = done.Fired+page.Fired, done.Known+page.Known, done.Failed+page.Failed
		if done.Failure == "" {
			done.Failure = page.Failure
		}
		if page.After == nil {
			return nil
		}
		request.After, request.Recorded = page.After, page.Recorded
		p.Say("%d of %d slots", total, done.Count)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// described describes the slots of a backfill.
func described(e *cli.Env, page api.Backfilled) string {
	p := e.Printer()
	if p.Zone = page.From.Location(); page.Count == 0 {
		return fmt.Sprintf("%s has no slot from %s to %s\n", page.Schedule, p.Slot(page.From), p.Slot(page.To))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s from %s to %s\n", fault.Plural(int(page.Count), "slot"), events.EscapeControl(page.Schedule), p.Slot(page.From), p.Slot(page.To))
	for _, slot := range page.First {
		fmt.Fprintf(&b, "  %s\n", p.Slot(slot))
	}
	if more := page.Count - int64(len(page.First)); more > 0 {
		fmt.Fprintf(&b, "  … and %d more\n", more)
	}
	return b.String()
}
