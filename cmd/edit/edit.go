// Package edit sends runs again with changed data, for `evrun runs retry --with`: it shows what changes, asks, and does it, for single runs or for a
// selection as one batch.
package edit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/events"
	"evrun/tasks/control"
	"evrun/tasks/fault"
	"evrun/tasks/payload"
)

// Run sends runs again with changed data: those with these ids, or those that the flags select.
func Run(ctx context.Context, o *cli.Batch, w *cli.EditFlags, ids []string) error {
	edit, err := w.Edit(o.In)
	if err != nil {
		return err
	}
	edits(o)
	if len(ids) > 0 && !o.ByFlags() {
		return byID(ctx, o, ids, edit)
	}
	if o.Resume != "" {
		return cli.Usage("--resume continues with the data that was given before: leave --with, -f and -F out")
	}
	if _, err := o.Chosen(ids, o.CheckRuns); err != nil {
		return err
	}
	if o.Careful = "it runs the handlers with changed data"; o.Options == nil {
		if o.Options, err = events.MarshalJSON(edit); err != nil {
			return err
		}
	}
	o.More = func(seen api.BatchPreview) {
		_, _ = cli.Asked(ctx, o.Env, cli.ReadsWiring, func(c *client.Client) (bool, error) { // only for the eyes
			for _, run := range seen.Runs {
				if edited, err := c.EditRun(ctx, run.ID, edit, true); err == nil {
					show(o.Env, o.Err, edited)
				} else {
					fmt.Fprintf(o.Err, "%s: %s\n", events.EscapeControl(run.ID), events.EscapeControl(err.Error()))
				}
			}
			return true, nil
		})
	}
	return o.Run(ctx)
}

// edits makes the action the one that changes data.
func edits(o *cli.Batch) {
	o.Action, o.Done, o.Left, o.Access = "edit", "sent again", "left as they are (their data would not change or not fit, or their handler has left)", cli.Publishes
}

// Continue makes the action the one of the batch that is continued: both are actions of that command.
func Continue(ctx context.Context, o *cli.Batch) error {
	if o.Resume == "" {
		return nil
	}
	b, err := cli.Asked(ctx, o.Env, cli.ReadsStore, func(c *client.Client) (api.Batch, error) { return c.Batch(ctx, o.Resume) })
	if b.Action == "edit" {
		edits(o)
	}
	return err
}

// byID sends single runs again: it shows what changes, asks, and does it.
func byID(ctx context.Context, o *cli.Batch, ids []string, edit control.Edit) error {
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	to, failed := o.Err, 0
	if o.DryRun {
		to = o.Out
	}
	var done []api.EditedRun
	alone, err := o.Ask(ctx, cfg, cli.Publishes, func(c *client.Client) error {
		var can []string
		for _, id := range ids {
			edited, err := c.EditRun(ctx, id, edit, true)
			switch {
			case cantEdit(err):
				failed++
				o.LeftOne(err)
				continue
			case err != nil:
				return err
			}
			if can = append(can, edited.Run.ID); !o.JSON() {
				show(o.Env, to, edited)
			} else if o.DryRun {
				done = append(done, edited)
			}
		}
		if o.DryRun || len(can) == 0 {
			return nil
		}
		if err := confirm(ctx, o, len(can)); err != nil {
			return err
		}
		for _, id := range can {
			edited, err := c.EditRun(ctx, id, edit, false)
			switch {
			case cantEdit(err): // something happened to it meanwhile
				failed++
				o.LeftOne(err)
			case err != nil:
				return err
			default:
				done = append(done, edited)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := printDone(o.Env, done); err != nil {
		return err
	}
	if alone && len(done) > 0 && !o.DryRun {
		o.NoteWaiting("the events wait", cfg)
	}
	if failed > 0 {
		return cli.SomeLeft("runs")
	}
	return nil
}

// confirm asks whether so many runs are to be sent again, unless --yes says so.
func confirm(ctx context.Context, o *cli.Batch, n int) error {
	if o.Yes {
		return nil
	}
	question := fmt.Sprintf("Send %s again with this data?", fault.Plural(n, "run"))
	return o.Confirm(ctx, question, "it runs the handler with changed data", "nothing was sent again")
}

// printDone prints which runs were sent again.
func printDone(e *cli.Env, done []api.EditedRun) (err error) {
	for _, edited := range done {
		if e.JSON() {
			err = e.PrintJSON(edited)
		} else {
			_, err = fmt.Fprintf(e.Out, "%s sent again as #%d\n", edited.Run.ID, edited.After.Sequence)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cantEdit reports whether an error concerns only the run that was to be edited.
func cantEdit(err error) bool {
	var p *api.Problem
	return cli.IsAboutOne(err) || errors.As(err, &p) && (p.Status == http.StatusBadRequest || p.Status == http.StatusUnprocessableEntity)
}

// show shows what changes in a run's data.
func show(e *cli.Env, to io.Writer, edited api.EditedRun) {
	p := e.Printer()
	p.Out, p.Color = to, e.Colored(to)
	_ = p.Diff(edited.Run.ID, payload.Diff(edited.Before.Data, edited.After.Data, 1)) // only for the eyes
}
