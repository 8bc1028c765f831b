package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/tasks/control"
	"evrun/tasks/fault"
	"evrun/tasks/payload"
)

// retryWith are the flags that change the data of runs.
type retryWith struct {
	file               string
	fields, jsonFields []string
}

func (w *retryWith) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&w.file, "with", "", "send again with this data: a JSON `FILE`, or - for standard input")
	f.StringArrayVarP(&w.fields, "field", "f", nil, "send again with this field changed, to a text: key=text (may be repeated)")
	f.StringArrayVarP(&w.jsonFields, "json-field", "F", nil, "send again with this field changed, to JSON: key:=json (may be repeated)")
	_ = c.MarkFlagFilename("with", "json") // an error means that the flag does not exist
}

func (w *retryWith) given() bool { return w.file != "" || len(w.fields)+len(w.jsonFields) > 0 }

// edit reads the flags.
func (w *retryWith) edit(in io.Reader) (e control.Edit, err error) {
	if w.file != "" {
		from, data := "--with", []byte(nil)
		if w.file == "-" {
			from = "standard input"
			data, err = io.ReadAll(in)
		} else {
			data, err = os.ReadFile(strings.TrimPrefix(w.file, "@"))
		}
		if err != nil {
			return e, usage("--with: %v", err)
		}
		if e.Data = trimData(data); checkJSON(e.Data) != nil {
			return e, usage("%s %v", from, checkJSON(e.Data))
		}
	}
	for _, text := range w.fields {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return e, usage("-f %q: write key=text", text)
		}
		e.Set = addField(e.Set, key, events.AppendJSONText(nil, value))
	}
	for _, text := range w.jsonFields {
		key, value, ok := strings.Cut(text, ":=")
		if !ok || key == "" {
			return e, usage("-F %q: write key:=json", text)
		}
		if err := checkJSON([]byte(value)); err != nil {
			return e, usage("-F %q: the value %v", text, err)
		}
		e.Set = addField(e.Set, key, json.RawMessage(value))
	}
	return e, nil
}

// addField adds a field. A key that comes twice, or ends in [], has a list, as in emit.
func addField(list []payload.Field, key string, value json.RawMessage) []payload.Field {
	path, element := strings.CutSuffix(key, "[]")
	for i := range list {
		if list[i].Path != path {
			continue
		}
		before := list[i].Value
		if before[0] == '[' && element {
			before = before[1 : len(before)-1]
		}
		list[i].Value = append(append(append(append(json.RawMessage{'['}, before...), ','), value...), ']')
		return list
	}
	if element {
		value = append(append(json.RawMessage{'['}, value...), ']')
	}
	return append(list, payload.Field{Path: path, Value: value})
}

// runRunsEdit sends runs again with changed data: those with these ids, or those that the flags select.
func runRunsEdit(ctx context.Context, o *selected, w *retryWith, ids []string) error {
	edit, err := w.edit(o.in)
	if err != nil {
		return err
	}
	o.edits()
	if len(ids) > 0 && o.Selection.All() && !o.all && o.resume == "" {
		return o.editRuns(ctx, ids, edit)
	}
	if o.resume != "" {
		return usage("--resume continues with the data that was given before: leave --with, -f and -F out")
	}
	if _, err := o.chosen(ids, o.CheckRuns); err != nil {
		return err
	}
	if o.careful = "it runs the handlers with changed data"; o.options == nil {
		if o.options, err = events.MarshalJSON(edit); err != nil {
			return err
		}
	}
	o.more = func(seen api.BatchPreview) {
		_, _ = asked(ctx, o.env, readsWiring, func(c *client.Client) (bool, error) { // only for the eyes
			for _, run := range seen.Runs {
				if edited, err := c.EditRun(ctx, run.ID, edit, true); err == nil {
					o.showEdit(o.err, edited)
				} else {
					fmt.Fprintf(o.err, "%s: %s\n", events.EscapeControl(run.ID), events.EscapeControl(err.Error()))
				}
			}
			return true, nil
		})
	}
	return o.run(ctx)
}

// edits makes the action the one that changes data.
func (o *selected) edits() {
	o.action, o.done, o.left, o.access = "edit", "sent again", "left as they are (their data would not change, or not fit)", publishes
}

// continueEdit makes the action the one of the batch that is continued: both are actions of this command.
func (o *selected) continueEdit(ctx context.Context) error {
	if o.resume == "" {
		return nil
	}
	b, err := asked(ctx, o.env, readsStore, func(c *client.Client) (api.Batch, error) { return c.Batch(ctx, o.resume) })
	if b.Action == "edit" {
		o.edits()
	}
	return err
}

// editRuns sends single runs again: it shows what changes, asks, and does it.
func (o *selected) editRuns(ctx context.Context, ids []string, edit control.Edit) error {
	cfg, err := o.settings()
	if err != nil {
		return err
	}
	to, failed := o.err, 0
	if o.dryRun {
		to = o.out
	}
	var done []api.EditedRun
	alone, err := o.ask(ctx, cfg, publishes, func(c *client.Client) error {
		var can []string
		for _, id := range ids {
			edited, err := c.EditRun(ctx, id, edit, true)
			switch {
			case cantEdit(err):
				failed++
				fmt.Fprintf(o.err, "evrun: %s\n", events.EscapeControl(err.Error()))
				continue
			case err != nil:
				return err
			}
			if can = append(can, edited.Run.ID); !o.json() {
				o.showEdit(to, edited)
			} else if o.dryRun {
				done = append(done, edited)
			}
		}
		if o.dryRun || len(can) == 0 {
			return nil
		}
		if !o.yes {
			question := fmt.Sprintf("Send %s again with this data?", fault.Plural(len(can), "run"))
			if err := o.confirm(ctx, question, "it runs the handler with changed data", "nothing was sent again"); err != nil {
				return err
			}
		}
		for _, id := range can {
			edited, err := c.EditRun(ctx, id, edit, false)
			switch {
			case cantEdit(err): // something happened to it meanwhile
				failed++
				fmt.Fprintf(o.err, "evrun: %s\n", events.EscapeControl(err.Error()))
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
	for _, edited := range done {
		if o.json() {
			err = o.printJSON(edited)
		} else {
			_, err = fmt.Fprintf(o.out, "%s sent again as #%d\n", edited.Run.ID, edited.After.Sequence)
		}
		if err != nil {
			return err
		}
	}
	if alone && len(done) > 0 && !o.dryRun {
		o.note("no daemon is running: the events wait in %s for evrun serve", cfg.Settings.Store.Path)
	}
	if failed > 0 {
		return &exitError{code: exitFailed, err: errors.New("some runs were left as they are"), silent: true}
	}
	return nil
}

// cantEdit reports whether an error concerns only the run that was to be edited.
func cantEdit(err error) bool {
	var p *api.Problem
	return isAboutOne(err) || errors.As(err, &p) && (p.Status == http.StatusBadRequest || p.Status == http.StatusUnprocessableEntity)
}

// showEdit shows what changes in a run's data.
func (o *selected) showEdit(to io.Writer, edited api.EditedRun) {
	p := o.printer()
	p.Out, p.Color = to, o.colored(to)
	_ = p.Diff(edited.Run.ID, payload.Diff(edited.Before.Data, edited.After.Data, 1)) // only for the eyes
}
