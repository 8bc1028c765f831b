// Package against compares what two wiring files would do with recorded events, for `evrun replay --against FILE`: it reads the events, has
// tasks/compare judge each, and prints the counts and some examples, or each difference.
package against

import (
	"context"
	"errors"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/daemon"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/compare"
	"evrun/tasks/fault"
)

// Default is how many of the newest events are compared.
const Default = 1000

// Options say what is compared.
type Options struct {
	*cli.Batch          // with the flags that select events
	Events     []string // the seqs or ids of single ones
	File       string   // the other wiring file
	Replays    bool     // a flag was given that replays
}

// Run compares what two wiring files would do with recorded events. It reads them from the store, whether or not a daemon runs.
func (o *Options) Run(ctx context.Context) error {
	switch {
	case o.Replays, o.Yes, o.Everything, o.Resume != "":
		return cli.Usage("--against compares, and replays nothing: --again, --yes, --all, --resume and --wait don't go with it")
	case len(o.Events) > 0 && o.ByFlags():
		return cli.Usage("replay takes events or flags that select some, not both")
	}
	if err := o.ReadFlags(o.CheckEvents); err != nil {
		return err
	}
	today, err := o.Load()
	if err != nil {
		return err
	}
	edited, err := config.Load(o.File, o.ConfigOptions())
	if err != nil {
		return err
	}
	before, after, err := o.sides(today, edited)
	if err != nil {
		return err
	}
	c := compare.New(before, after)
	examples := map[string][]compare.Difference{}
	err = o.InProcess(ctx, today, cli.ReadsStore, func(from *client.Client) error {
		return o.recorded(ctx, from, func(e *events.Event) error {
			for _, d := range c.Event(e) {
				switch {
				case o.JSON():
					if err := o.PrintJSON(d); err != nil {
						return err
					}
				case len(examples[d.Handler]) < maxExamples:
					examples[d.Handler] = append(examples[d.Handler], d)
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if o.JSON() {
		o.Note("%s compared, %d with differences", fault.Plural(c.Events, "event"), c.Differ)
	} else if err := o.Printer().Comparison(c, examples); err != nil {
		return err
	}
	if !c.Same() {
		return &cli.ExitError{Code: cli.ExitFailed, Err: errors.New("the wiring files differ"), Silent: true}
	}
	return nil
}

// maxExamples is how many events are shown for each handler.
const maxExamples = 3

// sides are the handlers of both files: all, or the one that --handler names.
func (o *Options) sides(today, edited *config.Config) (before, after compare.Wiring, err error) {
	side := func(cfg *config.Config) compare.Wiring {
		em := daemon.NewEmitter(nil, cfg)
		return compare.Wiring{Handlers: cfg.Wiring.Handlers, Secrets: cfg.Secrets, Refuses: func(e *events.Event) error {
			return em.Stamp(&events.Event{Type: e.Type, ID: e.ID, Source: e.Source, Time: e.Time, DataContentType: e.DataContentType, Data: e.Data})
		}}
	}
	before, after = side(today), side(edited)
	if o.To == "" {
		return before, after, nil
	}
	only := func(w *compare.Wiring) bool {
		for _, h := range w.Handlers {
			if h.Name == o.To || h.Was == o.To {
				w.Handlers = []*tasks.Handler{h}
				return true
			}
		}
		w.Handlers = nil
		return false
	}
	was, is := only(&before), only(&after)
	if !was && !is {
		var names []string
		for _, cfg := range []*config.Config{today, edited} {
			for _, h := range cfg.Wiring.Handlers {
				names = append(names, h.Name)
			}
		}
		hint := fault.DidYouMean(o.To, names)
		return before, after, cli.Usage("neither file has a handler %q; %s", o.To, hint)
	}
	return before, after, nil
}

// recorded reads the selected events, newest first.
func (o *Options) recorded(ctx context.Context, from *client.Client, each func(*events.Event) error) error {
	names := o.Events
	for _, name := range names {
		e, err := from.Event(ctx, name)
		if err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		return nil
	}
	out, p := cli.LeftOut{}, o.Progress()
	defer func() {
		p.Clear()
		out.Note(o.Env)
	}()
	left := o.Limit
	for page := (api.Paging{}); ; {
		page.Limit = 1000
		if o.Limit > 0 {
			page.Limit = min(left, page.Limit)
		}
		list, info, err := from.Events(ctx, o.Selection, page)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := each(e); err != nil {
				return err
			}
		}
		out.Add(info)
		p.Show(len(list), info)
		left -= len(list)
		if page.After = info.Next; page.After == "" || o.Limit > 0 && left <= 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		p.Say("%d events compared", o.Limit-left)
	}
}
