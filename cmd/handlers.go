package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/output"
	"evrun/tasks/control"
	"evrun/tasks/fault"
)

func newHandlersCmd(e *cli.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "handlers",
		Short: "Show the handlers and what waits for them; pause, resume or forget one",
		Long: `Shows the handlers and what waits for them, as the daemon has them, or as the wiring file and the store do where none runs.

A handler keeps its place in the journal when it leaves the wiring file. If it returns within an hour, it goes on there. If it
returns later and events or runs wait for it, it is paused until "evrun handlers resume", unless it is "from: mark" in the file.
Another handler takes over its place and its runs with "was: NAME". "evrun handlers forget" gives both up.

"evrun handlers pause" pauses one until it is resumed. "enabled: false" in the file disables it.

States: active; paused; disabled; left (it is not in the file); new (no daemon has had it yet).`,
		Example: `  evrun handlers list
  evrun handlers resume announce
  evrun handlers resume announce --from now
  evrun handlers forget old-name`,
	}
	listing := handlersListing{Env: e}
	list := &cobra.Command{
		Use:   "list [NAME...]",
		Short: "List the handlers, also those that have left the file",
		Example: `  evrun handlers list
  evrun handlers list --label team=billing --state paused`,
		Long: `Lists the handlers of the wiring file, and those that have left it and were not forgotten. WAITING counts the events that match a
handler and have no run yet; after very many events it is an upper bound (≤).`,
		ValidArgsFunction: e.CompleteHandlers(),
		RunE:              func(c *cobra.Command, names []string) error { return listing.run(c.Context(), names) },
	}
	e.LabelFlag(list, &listing.labels, "only handlers with this label")
	list.Flags().StringSliceVar(&listing.states, "state", nil, "only handlers in these states: "+strings.Join(handlerStates, ", "))
	cli.CompleteFlag(list, "state", handlerStates...)
	show := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one handler, and what waits for it",
		Example:           "  evrun handlers show announce",
		Args:              cli.NamesOf("handler", 1),
		ValidArgsFunction: e.CompleteHandlers(),
		RunE:              func(c *cobra.Command, args []string) error { return runHandlersShow(c.Context(), e, args[0]) },
	}
	from, labels := "", []string(nil)
	resume := &cobra.Command{
		Use:   "resume NAME... | --label LABEL",
		Short: "Let paused handlers go on",
		Long: `Lets paused handlers go on where they stopped: those that somebody paused, or that returned to the wiring file after more than an hour. With --from now they
begin with the next event: the events that wait are skipped, and the unsettled runs are dropped; the numbers are printed, and published
as evrun.handler.skipped.`,
		Example: `  evrun handlers resume announce
  evrun handlers resume announce --from now`,
		Args:              namesOrLabels,
		ValidArgsFunction: e.CompleteHandlers(control.StatePaused),
		RunE: func(c *cobra.Command, names []string) error {
			if from != "mark" && from != "now" {
				return cli.Usage("--from %q: must be mark or now", from)
			}
			names, err := labeledHandlers(c.Context(), e, names, labels)
			if err != nil {
				return err
			}
			return changeHandlers(c.Context(), e, names, func(ctx context.Context, c *client.Client, name string) (any, string, error) {
				done, err := c.ResumeHandler(ctx, name, from == "now")
				if !done.Resumed {
					return done, name + " is not paused", err
				}
				return done, name + " resumed" + skippedWords(done.Skipped), err
			})
		},
	}
	resume.Flags().StringVar(&from, "from", "mark", "where to go on: mark (where they stopped), or now")
	cli.CompleteFlag(resume, "from", "mark", "now")
	e.LabelFlag(resume, &labels, "the handlers with this label")
	reason := ""
	pause := &cobra.Command{
		Use:   "pause NAME... | --label LABEL",
		Short: "Have handlers begin nothing until they are resumed",
		Long: `Pauses handlers until "evrun handlers resume", also over restarts, reloads and changes of the file. Running attempts end as ever;
nothing new begins, and the events and the retries wait: they are counted, and not skipped. The pause goes on when a handler leaves the
file and returns, and where another one takes its place with "was". "enabled: false" in the file has the same effect there.`,
		Example: `  evrun handlers pause announce --reason "the mail server is down"
  evrun handlers resume announce`,
		Args:              namesOrLabels,
		ValidArgsFunction: e.CompleteHandlers(control.StateActive),
		RunE: func(c *cobra.Command, names []string) error {
			names, err := labeledHandlers(c.Context(), e, names, labels)
			if err != nil {
				return err
			}
			return changeHandlers(c.Context(), e, names, func(ctx context.Context, c *client.Client, name string) (any, string, error) {
				done, err := c.PauseHandler(ctx, name, reason)
				words := name + " is paused"
				switch {
				case done.Paused:
				case done.Pause == nil:
					words += " already: it returned after more than an hour"
				default:
					words += " already, by " + done.Pause.By
				}
				return done, words, err
			})
		},
	}
	pause.Flags().StringVar(&reason, "reason", "", "why, in your words: lists and the audit trail have it")
	e.LabelFlag(pause, &labels, "the handlers with this label")
	forget := &cobra.Command{
		Use:   "forget NAME...",
		Short: "Give up the place and the runs of handlers that have left",
		Long: `Gives up the place in the journal of handlers that are no longer in the wiring file, and drops their dead and unsettled runs. The
numbers of events and runs that are left out are printed, and published as evrun.handler.skipped. If the name returns later, it is a
new handler.`,
		Example:           `  evrun handlers forget old-name`,
		Args:              cli.NamesOf("handler", 0),
		ValidArgsFunction: e.CompleteHandlers(control.StateLeft),
		RunE: func(c *cobra.Command, names []string) error {
			return changeHandlers(c.Context(), e, names, func(ctx context.Context, c *client.Client, name string) (any, string, error) {
				done, err := c.ForgetHandler(ctx, name)
				return done, name + " forgotten" + skippedWords(done.Skipped), err
			})
		},
	}
	return cli.Group(c, list, show, pause, resume, forget)
}

var handlerStates = []string{control.StateActive, control.StatePaused, control.StateDisabled, control.StateLeft, control.StateNew}

// handlersListing is what handlers list lists.
type handlersListing struct {
	*cli.Env
	labels, states []string
}

func (o *handlersListing) run(ctx context.Context, names []string) error {
	for _, state := range o.states {
		if !slices.Contains(handlerStates, state) {
			return cli.Usage("--state %s: must be %s", state, fault.Or(handlerStates))
		}
	}
	all, err := o.Handlers(ctx)
	if err != nil {
		return err
	}
	all, none, err := cli.Wired("handler", all, func(h control.HandlerStatus) string { return h.Name }, names, o.labels)
	if err != nil {
		return err
	}
	columns := output.WithLabels(output.Handlers(), all)
	if len(o.states) > 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(h control.HandlerStatus) bool { return !slices.Contains(o.states, h.State) })
	}
	return cli.List(o.Env, columns, all, none)
}

// labeledHandlers adds the handlers that have labels to names.
func labeledHandlers(ctx context.Context, e *cli.Env, names, labels []string) ([]string, error) {
	if len(labels) == 0 {
		return names, nil
	}
	all, err := e.Handlers(ctx)
	if err != nil {
		return nil, err
	}
	chosen, hint, err := cli.ByLabels(all, labels)
	if err == nil && len(chosen) == 0 {
		err = cli.Usage("--label: %s", hint)
	}
	for _, h := range chosen {
		if !slices.Contains(names, h.Name) && h.State != control.StateLeft {
			names = append(names, h.Name)
		}
	}
	return names, err
}

// namesOrLabels checks that the arguments are names of handlers, or that there is a --label in their place.
func namesOrLabels(c *cobra.Command, names []string) error {
	if c.Flags().Changed("label") {
		return nil
	}
	return cli.NamesOf("handler", 0)(c, names)
}

func runHandlersShow(ctx context.Context, e *cli.Env, name string) error {
	h, err := cli.Asked(ctx, e, cli.ReadsWiring, func(c *client.Client) (control.HandlerStatus, error) { return c.Handler(ctx, name) })
	if err != nil {
		return err
	}
	if err := e.Printer().Handler(h); err != nil || e.JSON() {
		return err
	}
	switch h.State {
	case control.StateDisabled:
		e.Note("remove \"enabled: false\" in the wiring file to continue it")
	case control.StatePaused:
		if h.Pause != nil {
			e.Note("\"evrun handlers resume %s\" continues it", h.Name)
			break
		}
		e.Note("it returned after more than an hour; \"evrun handlers resume %s\" continues it", h.Name)
	case control.StateLeft:
		e.Note("it is not in the wiring file: put it back, write \"was: %s\" at the handler that takes over, or give it up with \"evrun handlers forget %s\"", h.Name, h.Name)
	}
	return nil
}

// changeHandlers changes several handlers, and prints for each the answer of change, as JSON or in words.
func changeHandlers(ctx context.Context, e *cli.Env, names []string, change func(context.Context, *client.Client, string) (any, string, error)) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	return e.Each("handlers", names, func(name string) error {
		var done any
		var words string
		_, err := e.Ask(ctx, cfg, cli.ChangesPlace, func(c *client.Client) (err error) {
			done, words, err = change(ctx, c, name)
			return err
		})
		switch {
		case err != nil:
			return err
		case e.JSON():
			return e.PrintJSON(done)
		}
		_, err = fmt.Fprintln(e.Out, words)
		return err
	})
}

// skippedWords lists the events and runs that were left out; empty: none were.
func skippedWords(s control.Skipped) string {
	var parts []string
	if s.Events > 0 {
		parts = append(parts, eventsOf(s.Events, s.AtMost)+" skipped")
	}
	if s.Runs > 0 {
		parts = append(parts, fault.Plural(s.Runs, "run")+" dropped")
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// eventsOf is a number of events in words; with atMost it is an upper bound.
func eventsOf(n int64, atMost bool) string {
	text := fault.Plural(int(n), "event")
	if atMost {
		text = "at most " + text
	}
	return text
}
