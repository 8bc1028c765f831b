package cli

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

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/tasks/batches"
	"evrun/tasks/fault"
)

// Batch is an action on everything that the flags select. It shows how many that is, asks on a terminal, and runs as one batch, which can be stopped
// and continued.
type Batch struct {
	*Env
	SelectionFlags
	Name, Done string // "runs retry", "retried"
	Action     string // of [batches.Request]
	Thing      string // "run", "event"
	Final      bool   // it can't be undone, so all at once needs --yes where nobody can be asked
	To, Reason string // of [batches.Request]
	Options    json.RawMessage
	Careful    string                 // why it needs --yes where nobody can be asked, whatever is selected; empty: it doesn't
	Left       string                 // what happened to those that were not changed; empty: "left as they are"
	Again      string                 // how to do the rest of a batch that was stopped; empty: with --resume
	Access     Access                 // without a daemon; zero: [ChangesRuns]
	More       func(api.BatchPreview) // shows more of a look at the selection; nil: nothing

	Everything, Yes, DryRun bool   // --all, --yes, --dry-run
	Resume                  string // the id of a stopped batch
}

// AddBatchFlags adds the flags that go with those of the selection.
func (o *Batch) AddBatchFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.Everything, "all", false, "all that can be "+o.Done)
	f.BoolVar(&o.Yes, "yes", false, "don't ask")
	f.BoolVar(&o.DryRun, "dry-run", false, "only show how many are selected, and the first ones")
	f.StringVar(&o.Resume, "resume", "", "continue an action that was stopped, by the id that it printed")
	_ = c.RegisterFlagCompletionFunc("resume", o.completeStopped) // an error means that the flag does not exist
}

// completeStopped lists the batches of this action that can be continued.
func (o *Batch) completeStopped(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	if o.completing(c) {
		list, _ := Asked(c.Context(), o.Env, ReadsStore, func(c *client.Client) ([]api.Batch, error) { return c.Batches(o.Command.Context()) })
		for _, b := range list {
			mine := b.Action == o.Action || b.Action == "edit" && o.Action == "retry" // runs retry continues both
			if mine && b.State == api.BatchStopped {
				ids = append(ids, fmt.Sprintf("%s\t%d of %d done", b.ID, b.Done, b.Total))
			}
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// ByFlags reports whether flags select something, or what to continue. It may be asked before the flags are read.
func (o *Batch) ByFlags() bool {
	return !o.All() || o.since != "" || o.until != "" || o.Everything || o.Resume != ""
}

// Chosen checks that either ids or flags select, and reports which. The ids are nil for a command that takes none.
func (o *Batch) Chosen(ids []string, check func() error) (byFlags bool, err error) {
	if err := o.ReadFlags(check); err != nil {
		return false, err
	}
	rest := o.Selection
	rest.States = nil
	narrowed := !rest.All() // --all goes with --state
	flags := o.ByFlags()
	switch {
	case o.Resume != "" && (!o.All() || o.Everything || len(ids) > 0):
		return true, Usage("--resume continues what was selected before: it goes alone")
	case len(ids) > 0 && (flags || o.DryRun):
		return true, Usage("%s takes ids or flags that select %ss, not both", o.Name, o.Thing)
	case narrowed && o.Everything:
		return true, Usage("--all goes without flags that select %ss", o.Thing)
	case len(ids) == 0 && !flags:
		by := "their ids, flags that select them"
		if ids == nil { // it takes none
			by = "flags that select them"
		}
		return true, Usage("say which %ss: %s, or --all", o.Thing, by)
	}
	return flags, nil
}

// Run does the action.
func (o *Batch) Run(ctx context.Context) error {
	if o.Resume != "" {
		return o.send(ctx, api.BatchRequest{Request: batches.Request{Action: o.Action}, Resume: o.Resume})
	}
	r := api.BatchRequest{Request: batches.Request{Action: o.Action, Selection: o.Selection, All: o.All(), To: o.To, Why: o.Reason,
		Options: o.Options}}
	in, ok := o.In.(*os.File)
	asks := !o.Yes && ok && isTerminal(in)
	if why := o.needsYes(); why != "" && !asks {
		return o.Confirm(ctx, "", why, "") // says that it needs --yes
	}
	if o.Quiet && !asks && !o.DryRun {
		return o.send(ctx, r) // nobody would see it
	}
	seen, err := Asked(ctx, o.Env, ReadsStore, func(c *client.Client) (api.BatchPreview, error) { return c.PreviewBatch(ctx, r) })
	if err != nil {
		return err
	}
	if o.DryRun {
		return o.preview(seen)
	}
	for {
		o.show(seen)
		if asks && seen.Count > 0 {
			question := fmt.Sprintf("%s: %s?", strings.ToUpper(o.Action[:1])+o.Action[1:], fault.Plural(seen.Count, o.Thing))
			if err := o.Confirm(ctx, question, "", "nothing was "+o.Done); err != nil {
				return err
			}
			r.Fingerprint = seen.Fingerprint
		}
		err := o.send(ctx, r)
		var p *api.Problem
		if !asks || !errors.As(err, &p) || p.Status != http.StatusConflict || p.Preview == nil {
			return err
		}
		o.Note("the selection has changed meanwhile")
		seen = *p.Preview
	}
}

// needsYes says why the action needs --yes where nobody can be asked; empty: it doesn't.
func (o *Batch) needsYes() string {
	everything := o.Everything || o.Handler == "" && o.Event == "" && o.Where == "" && len(o.Types) == 0
	switch {
	case o.Yes, o.DryRun:
		return ""
	case o.Final && everything:
		return "this can't be undone"
	}
	return o.Careful
}

// preview prints a look at the selection.
func (o *Batch) preview(seen api.BatchPreview) error {
	if o.JSON() {
		return o.PrintJSON(seen)
	}
	o.show(seen)
	_, err := fmt.Fprintf(o.Out, "%s would be %s\n", fault.Plural(seen.Count, o.Thing), o.Done)
	return err
}

// show shows the first ones of a selection, on stderr.
func (o *Batch) show(seen api.BatchPreview) {
	if seen.Failed > 0 {
		o.Note("--where could not be evaluated for %s, left out: %s", fault.Plural(seen.Failed, o.Thing), seen.Failure)
	}
	if o.Quiet || seen.Count == 0 {
		return
	}
	o.Note("%s selected", fault.Plural(seen.Count, o.Thing))
	p := o.Printer()
	p.Out, p.JSON, p.Color = o.Err, false, o.Colored(o.Err)
	if len(seen.Runs) > 0 {
		_ = output.List(p, output.Runs(), seen.Runs) // it is only a note
	}
	if len(seen.Events) > 0 {
		_ = output.List(p, output.Events(), seen.Events)
	}
	if more := seen.Count - len(seen.Runs) - len(seen.Events); more > 0 {
		fmt.Fprintf(o.Err, "… and %d more\n", more)
	}
	if o.More != nil {
		o.More(seen)
	}
}

// send runs the batch, or what is left of it, and prints its result.
func (o *Batch) send(ctx context.Context, r api.BatchRequest) error {
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	bar := o.batchBar()
	var last api.Batch
	if o.Access == (Access{}) {
		o.Access = ChangesRuns
	}
	alone, err := o.Ask(ctx, cfg, o.Access, func(c *client.Client) (err error) {
		last, err = c.RunBatch(ctx, r, bar.at)
		return err
	})
	bar.end()
	if err != nil {
		return o.stopped(ctx, last, err)
	}
	if o.JSON() {
		what := map[string]any{o.Done: last.Changed, "total": last.Total, "left_alone": last.LeftAlone}
		if last.ID != "" {
			what["batch"] = last.ID
		}
		if last.Failed > 0 {
			what["failed"] = last.Failed
		}
		err = o.PrintJSON(what)
	} else {
		left := ""
		if last.LeftAlone > 0 {
			left = fmt.Sprintf(", %d %s", last.LeftAlone, cmp.Or(o.Left, "left as they are"))
		}
		_, err = fmt.Fprintf(o.Out, "%d %s%s\n", last.Changed, o.Done, left)
	}
	o.changed(alone, last.Changed, cfg)
	if err == nil && last.Failed > 0 {
		err = &ExitError{Code: ExitFailed, Err: fmt.Errorf("this may not be all: --where could not be evaluated for %s, left out", fault.Plural(last.Failed, o.Thing))}
	}
	return err
}

// changed notes that the runs that were changed wait, if no daemon runs. Those that are over wait for nothing.
func (o *Batch) changed(alone bool, n int, cfg *config.Config) {
	if alone && n > 0 && o.Action != "drop" && o.Action != "cancel" && o.Action != "erase" {
		o.NoteWaiting("the runs wait", cfg)
	}
}

// findOut is how long a command that was stopped asks how far its batch came.
const findOut = 2 * time.Second

// stopped says how far a batch came, and how to continue it.
func (o *Batch) stopped(ctx context.Context, last api.Batch, err error) error {
	if last.ID == "" {
		return err
	}
	code := o.Code(ctx, err)
	if errors.Is(err, client.ErrBroke) || code == ExitFailed && ctx.Err() == nil && !isProblem(err) {
		code = ExitNoDaemon
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), findOut)
	defer cancel()
	about := ""
	if now, err := Asked(asking, o.Env, ReadsStore, func(c *client.Client) (api.Batch, error) { return c.Batch(asking, last.ID) }); err == nil {
		last = now
	} else {
		about = "at least "
	}
	why := "interrupted"
	if code != ExitInterrupted {
		why = err.Error()
	}
	fmt.Fprintf(o.Err, "evrun: %s: %s%d of %s are done, %d %s\n", events.EscapeControl(why), about, last.Done, fault.Plural(last.Total, o.Thing), last.Changed, o.Done)
	fmt.Fprintf(o.Err, "  hint: %s\n", cmp.Or(o.Again, fmt.Sprintf("evrun %s --resume %s does the rest", o.Name, last.ID)))
	return &ExitError{Code: code, Err: err, Silent: true}
}

func isProblem(err error) bool {
	var p *api.Problem
	return errors.As(err, &p)
}

// RunsByID does the action to runs one after the other, and prints each (JSON) or their number.
func (o *Batch) RunsByID(ctx context.Context, ids []string, do func(c *client.Client, id string) (any, error)) error {
	cfg, err := o.Settings()
	if err != nil {
		return err
	}
	done, failed := 0, 0
	alone, err := o.Ask(ctx, cfg, ChangesRuns, func(c *client.Client) error {
		for ; len(ids) > 0; ids = ids[1:] { // a second call continues where the first one stopped
			changed, err := do(c, ids[0])
			switch {
			case IsAboutOne(err):
				failed++
				o.LeftOne(err)
				continue
			case err != nil:
				return err
			}
			if done++; o.JSON() {
				if err := o.PrintJSON(changed); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !o.JSON() {
		fmt.Fprintf(o.Out, "%d %s\n", done, o.Done)
	}
	o.changed(alone, done, cfg)
	if failed > 0 {
		return SomeLeft("runs")
	}
	return nil
}
