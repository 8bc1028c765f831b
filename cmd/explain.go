package cmd

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"evrun/cmd/api/client"
	"evrun/cmd/api/shape"
	"evrun/cmd/cli"
	"evrun/tasks/explain"
	"evrun/tasks/fault"
	"evrun/tasks/handlers"

	"github.com/spf13/cobra"
)

// noName is the value of --kind without a name.
const noName = " "

func newExplainCmd(e *cli.Env) *cobra.Command {
	o, kind, stored := cli.EventFlags{}, "", ""
	c := &cobra.Command{
		Use:   "explain TYPE | --event SEQ|ID",
		Short: "Say what the handlers would do about an event, or did about a stored one, and why",
		Long: `With --event it says for each handler what happened to an event of the journal: that it ran, with what result, or why it did not
(the part of "when" that was false, what it waits for, its patterns, that it was wired later, …), as far as the store knows it.

With a type it says for each handler whether it would run on such an event: the pattern that matches, what "when" comes to and which part
of it decided, the inputs as the kind would get them, and what would be emitted. For that it reads the wiring file alone: no
daemon, no store, and nothing is sent. What is made with env() or file() is shown as [secret].

With --kind NAME it describes a kind of handler and its inputs; --kind alone lists the kinds.

An event that would be refused, as its data breaks the schema of its type, is refused here too (exit 2). Exit 0, also where a
handler would skip the event or fail; 4 if no handler matches the type, and it is not declared as final.`,
		Example: `  evrun explain --event 41
  evrun explain user.registered -d '{"name":"Ada","email":"ada@example.com"}'
  evrun explain order.placed -d @order.json -o json
  evrun explain --kind user.insert`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case c.Flags().Changed("event") && (len(args) > 0 || c.Flags().Changed("kind")):
				return cli.Usage("--event explains a stored event, without a type and without --kind")
			case c.Flags().Changed("event"):
			case !c.Flags().Changed("kind") && len(args) != 1:
				return cli.Usage("explain takes one event type, such as user.registered, not %d arguments", len(args))
			case c.Flags().Changed("kind") && kind == noName && len(args) == 1:
				kind = args[0] // pflag parses --kind NAME as a flag without a value, and an argument
			case c.Flags().Changed("kind") && len(args) > 0:
				return cli.Usage("--kind describes a kind of handler, without an event type")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("kind") {
				return explainKind(e, strings.TrimSpace(kind))
			}
			if c.Flags().Changed("event") {
				return explainStored(c.Context(), e, stored)
			}
			o.Type = args[0]
			ev, err := o.Event(c.Context(), c.Flags().Changed, e.In)
			if err != nil {
				return err
			}
			var report explain.Report
			err = e.InProcess(c.Context(), nil, cli.WiringAlone, func(to *client.Client) (err error) {
				report, err = to.Explain(c.Context(), ev)
				return err
			})
			if err != nil {
				return e.Refused(err)
			}
			if _, err := strconv.ParseInt(strings.TrimPrefix(o.Type, "#"), 10, 64); err == nil {
				e.Note("%s is taken as a type here; what happened to that event: evrun explain --event %s", o.Type, o.Type)
			}
			return e.Explained(ev, report)
		},
	}
	o.Register(c.Flags())
	c.Flags().StringVar(&stored, "event", "", "say what happened to this event: its seq or its id")
	c.Flags().StringVar(&kind, "kind", "", "describe this kind of handler; without a name: list the kinds")
	c.Flags().Lookup("kind").NoOptDefVal = noName
	c.ValidArgsFunction = cli.CompleteFirst(e.CompleteTypes)
	cli.CompleteFlag(c, "kind", handlers.Names()...)
	return c
}

// explainStored says what happened to an event of the journal. The daemon knows best what a run waits for; the store knows the rest.
func explainStored(ctx context.Context, e *cli.Env, name string) error {
	told, err := cli.Asked(ctx, e, cli.ReadsWiredStore, func(c *client.Client) (shape.Accounts, error) { return c.ExplainEvent(ctx, name) })
	if err != nil {
		return err
	}
	if err := e.Printer().Accounts(told.Event, told.Handlers); err != nil || told.Matched || told.Final {
		return err
	}
	return &cli.ExitError{Code: cli.ExitNoHandler, Err: fmt.Errorf("no handler matched %s%s", told.Event.Type, cli.AsHint(told.Hint))}
}

// explainKind describes a kind; with no name, it lists them.
func explainKind(e *cli.Env, name string) error {
	if name == "" {
		return e.Printer().Kinds(handlers.Kinds())
	}
	if k, ok := handlers.Lookup(name); ok {
		return e.Printer().Kind(k)
	}
	names := handlers.Names()
	hint := ":"
	if text := fault.DidYouMean(name, names); text != "" {
		hint = "; " + text
	}
	return cli.Usage("unknown kind %q%s there are %s", name, hint, strings.Join(names, ", "))
}
