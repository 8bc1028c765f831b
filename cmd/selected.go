package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/tasks/batches"
	"evrun/tasks/fault"
)

// selected is an action on everything that the flags select. It shows how many that is, asks on a terminal, and runs as one batch, which can be stopped
// and continued.
type selected struct {
	*env
	selection
	name, done string // "runs retry", "retried"
	action     string // of [batches.Request]
	thing      string // "run", "event"
	final      bool   // it can't be undone, so all at once needs --yes where nobody can be asked
	to, reason string // of [batches.Request]
	options    json.RawMessage
	careful    string                 // why it needs --yes where nobody can be asked, whatever is selected; empty: it doesn't
	left       string                 // what happened to those that were not changed; empty: "left as they are"
	access     access                 // without a daemon; zero: changesRuns
	more       func(api.BatchPreview) // shows more of a look at the selection; nil: nothing

	all, yes, dryRun bool
	resume           string
}

// actFlags adds the flags that go with those of the selection.
func (o *selected) actFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.all, "all", false, "all that can be "+o.done)
	f.BoolVar(&o.yes, "yes", false, "don't ask")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show how many are selected, and the first ones")
	f.StringVar(&o.resume, "resume", "", "continue an action that was stopped, by the id that it printed")
	_ = c.RegisterFlagCompletionFunc("resume", o.completeStopped) // an error means that the flag does not exist
}

// completeStopped lists the batches of this action that can be continued.
func (o *selected) completeStopped(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	if o.completing(c) {
		list, _ := asked(c.Context(), o.env, readsStore, func(c *client.Client) ([]api.Batch, error) { return c.Batches(o.flags.Context()) })
		for _, b := range list {
			if b.Action == o.action && b.State == api.BatchStopped {
				ids = append(ids, fmt.Sprintf("%s\t%d of %d done", b.ID, b.Done, b.Total))
			}
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// chosen checks that either ids or flags select, and reports which.
func (o *selected) chosen(ids []string, check func() error) (byFlags bool, err error) {
	if err := o.read(check); err != nil {
		return false, err
	}
	rest := o.Selection
	rest.States = nil
	narrowed := !rest.All() // --all goes with --state
	flags := !o.Selection.All() || o.all || o.resume != ""
	switch {
	case o.resume != "" && (!o.Selection.All() || o.all || len(ids) > 0):
		return true, usage("--resume continues what was selected before: it goes alone")
	case len(ids) > 0 && (flags || o.dryRun):
		return true, usage("%s takes ids or flags that select %ss, not both", o.name, o.thing)
	case narrowed && o.all:
		return true, usage("--all goes without flags that select %ss", o.thing)
	case len(ids) == 0 && !flags:
		return true, usage("say which %ss: their ids, flags that select them, or --all", o.thing)
	}
	return flags, nil
}

// run does the action.
func (o *selected) run(ctx context.Context) error {
	if o.resume != "" {
		return o.batch(ctx, api.BatchRequest{Request: batches.Request{Action: o.action}, Resume: o.resume})
	}
	r := api.BatchRequest{Request: batches.Request{Action: o.action, Selection: o.Selection, All: o.Selection.All(), To: o.to, Why: o.reason,
		Options: o.options}}
	in, ok := o.in.(*os.File)
	asks := !o.yes && ok && isTerminal(in)
	if everything := o.all || o.Handler == "" && o.Event == "" && o.Where == "" && len(o.Types) == 0; o.final && everything && !o.yes && !o.dryRun && !asks {
		return o.confirm(ctx, "", "this can't be undone", "") // says that it needs --yes
	}
	if o.careful != "" && !o.yes && !o.dryRun && !asks {
		return o.confirm(ctx, "", o.careful, "")
	}
	if o.quiet && !asks && !o.dryRun {
		return o.batch(ctx, r) // nobody would see it
	}
	seen, err := asked(ctx, o.env, readsStore, func(c *client.Client) (api.BatchPreview, error) { return c.PreviewBatch(ctx, r) })
	if err != nil {
		return err
	}
	for {
		if o.dryRun {
			return o.preview(seen)
		}
		o.show(seen)
		if asks && seen.Count > 0 {
			question := fmt.Sprintf("%s: %s?", strings.ToUpper(o.action[:1])+o.action[1:], fault.Plural(seen.Count, o.thing))
			if err := o.confirm(ctx, question, "", "nothing was "+o.done); err != nil {
				return err
			}
			r.Fingerprint = seen.Fingerprint
		}
		err := o.batch(ctx, r)
		var p *api.Problem
		if !asks || !errors.As(err, &p) || p.Status != http.StatusConflict || p.Preview == nil {
			return err
		}
		o.note("the selection has changed meanwhile")
		seen = *p.Preview
	}
}

// preview prints a look at the selection.
func (o *selected) preview(seen api.BatchPreview) error {
	if o.json() {
		return o.printJSON(seen)
	}
	o.show(seen)
	_, err := fmt.Fprintf(o.out, "%s would be %s\n", fault.Plural(seen.Count, o.thing), o.done)
	return err
}

// show shows the first ones of a selection, on stderr.
func (o *selected) show(seen api.BatchPreview) {
	if seen.Failed > 0 {
		o.note("--where could not be evaluated for %s, left out: %s", fault.Plural(seen.Failed, o.thing), seen.Failure)
	}
	if o.quiet || seen.Count == 0 {
		return
	}
	o.note("%s selected", fault.Plural(seen.Count, o.thing))
	p := o.printer()
	p.Out, p.JSON, p.Color = o.err, false, o.colored(o.err)
	if len(seen.Runs) > 0 {
		_ = output.List(p, output.Runs(), seen.Runs) // it is only a note
	}
	if len(seen.Events) > 0 {
		_ = output.List(p, output.Events(), seen.Events)
	}
	if more := seen.Count - len(seen.Runs) - len(seen.Events); more > 0 {
		fmt.Fprintf(o.err, "… and %d more\n", more)
	}
	if o.more != nil {
		o.more(seen)
	}
}

// batch runs a batch, or what is left of it, and prints its result.
func (o *selected) batch(ctx context.Context, r api.BatchRequest) error {
	cfg, err := o.settings()
	if err != nil {
		return err
	}
	bar := o.bar()
	var last api.Batch
	if o.access == (access{}) {
		o.access = changesRuns
	}
	alone, err := o.ask(ctx, cfg, o.access, func(c *client.Client) (err error) {
		last, err = c.RunBatch(ctx, r, bar.at)
		return err
	})
	bar.end()
	if err != nil {
		return o.stopped(ctx, last, err)
	}
	if o.json() {
		what := map[string]any{o.done: last.Changed, "total": last.Total, "left_alone": last.LeftAlone}
		if last.ID != "" {
			what["batch"] = last.ID
		}
		err = o.printJSON(what)
	} else {
		left := ""
		if last.LeftAlone > 0 {
			left = fmt.Sprintf(", %d %s", last.LeftAlone, cmp.Or(o.left, "left as they are"))
		}
		_, err = fmt.Fprintf(o.out, "%d %s%s\n", last.Changed, o.done, left)
	}
	if alone && last.Changed > 0 && o.action != "drop" && o.action != "cancel" {
		o.note("no daemon is running: the runs wait in %s for evrun serve", cfg.Settings.Store.Path)
	}
	return err
}

// findOut is how long a command that was stopped asks how far its batch came.
const findOut = 2 * time.Second

// stopped says how far a batch came, and how to continue it.
func (o *selected) stopped(ctx context.Context, last api.Batch, err error) error {
	if last.ID == "" {
		return err
	}
	code := o.code(ctx, err)
	if errors.Is(err, client.ErrBroke) || code == exitFailed && ctx.Err() == nil && !isProblem(err) {
		code = exitNoDaemon
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), findOut)
	defer cancel()
	about := ""
	if now, err := asked(asking, o.env, readsStore, func(c *client.Client) (api.Batch, error) { return c.Batch(asking, last.ID) }); err == nil {
		last = now
	} else {
		about = "at least "
	}
	why := "interrupted"
	if code != exitInterrupted {
		why = err.Error()
	}
	fmt.Fprintf(o.err, "evrun: %s: %s%d of %s are done, %d %s\n", events.EscapeControl(why), about, last.Done, fault.Plural(last.Total, o.thing), last.Changed, o.done)
	fmt.Fprintf(o.err, "  hint: evrun %s --resume %s does the rest\n", o.name, last.ID)
	return &exitError{code: code, err: err, silent: true}
}

func isProblem(err error) bool {
	var p *api.Problem
	return errors.As(err, &p)
}

// batchBar shows the progress of a batch on a terminal. The zero value shows nothing.
type batchBar struct {
	p   *mpb.Progress
	bar *mpb.Bar
}

func (o *selected) bar() *batchBar {
	if o.quiet || !o.terminal(o.err) {
		return &batchBar{}
	}
	return &batchBar{p: mpb.New(mpb.WithOutput(o.err), mpb.WithWidth(64))}
}

// at shows how far the batch is.
func (b *batchBar) at(now api.Batch) {
	if b.p == nil {
		return
	}
	if b.bar == nil {
		b.bar = b.p.AddBar(0, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.CountersNoUnit("%d / %d")),
			mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
		b.bar.SetTotal(int64(now.Total), false)
	}
	b.bar.SetCurrent(int64(now.Done))
}

// end removes the bar.
func (b *batchBar) end() {
	if b.p == nil {
		return
	}
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
	}
	b.p.Wait()
}

// runsByID does the action to runs one after the other, and prints each (JSON) or their number. It returns the path of the store if no daemon runs.
func (o *selected) runsByID(ctx context.Context, ids []string, do func(c *client.Client, id string) (any, error)) (alone string, _ error) {
	cfg, err := o.settings()
	if err != nil {
		return "", err
	}
	done, failed := 0, 0
	waits, err := o.ask(ctx, cfg, changesRuns, func(c *client.Client) error {
		for ; len(ids) > 0; ids = ids[1:] { // a second call continues where the first one stopped
			changed, err := do(c, ids[0])
			switch {
			case isAboutOne(err):
				failed++
				fmt.Fprintf(o.err, "evrun: %s\n", events.EscapeControl(err.Error()))
				continue
			case err != nil:
				return err
			}
			if done++; o.json() {
				if err := o.printJSON(changed); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if !o.json() {
		fmt.Fprintf(o.out, "%d %s\n", done, o.done)
	}
	if failed > 0 {
		err = &exitError{code: exitFailed, err: errors.New("some runs were left as they are"), silent: true}
	}
	if waits && done > 0 {
		alone = cfg.Settings.Store.Path
	}
	return alone, err
}
