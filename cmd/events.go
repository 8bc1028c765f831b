package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/tasks/search"
)

type eventsOptions struct {
	*cli.Env
	cli.SelectionFlags
	byID   bool
	noTree bool
}

func newEventsCmd(e *cli.Env) *cobra.Command {
	o := &eventsOptions{Env: e}
	c := &cobra.Command{
		Use:   "events",
		Short: "Show the accepted events",
	}
	list := &cobra.Command{
		Use:   "list [PATTERN...]",
		Short: "List events, newest first, of the types that match a pattern (user.*, order.>)",
		Example: `  evrun events list 'user.*' --since 1h
  evrun events list --type order.placed --where 'data.city == "Paris"' -n 20
  evrun events list --chain 3 -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			o.Types = append(o.Types, args...)
			return runEventsList(c.Context(), o)
		},
	}
	o.AddEventFlags(list)
	o.AddPageFlags(list, 100)
	show := &cobra.Command{
		Use:   "show SEQ|ID",
		Short: "Show one event, with its data, its runs, and its chain as a tree",
		Example: `  evrun events show 41
  evrun events show order-4711 --id`,
		Long: `Shows one event, with its data and its runs, and the whole chain that it belongs to: the first event, what each run on it published, and so
on, with how long the runs took, how long they had waited, and failed attempts. A star marks the slowest path: the way to the run
that ended last. Of many events or runs in one place, the first are shown, and the others counted.

A number is the seq of an event; where no event has it, or with --id, it is an id. In JSON, the chain is a flat list of events in the
order of their seq: each has its runs, the seq of its cause, and the id of the run that published it (by).`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("events show takes one seq or id")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return runEventsShow(c.Context(), o, args[0]) },
	}
	show.Flags().BoolVar(&o.byID, "id", false, "it is an id, even if it is a number")
	show.Flags().BoolVar(&o.noTree, "no-tree", false, "leave out the chain")
	return cli.Group(c, list, show)
}

func runEventsList(ctx context.Context, o *eventsOptions) error {
	if err := o.ReadFlags(o.CheckEvents); err != nil {
		return err
	}
	return o.Look(ctx, func(c *client.Client) error {
		if o.JSON() {
			return cli.ListPages(o.Env, &o.SelectionFlags, nil, func(p api.Paging) ([]json.RawMessage, api.PageInfo, error) {
				return c.EventLines(ctx, o.Selection, p)
			})
		}
		return cli.ListPages(o.Env, &o.SelectionFlags, output.Events(), func(p api.Paging) ([]*events.Event, api.PageInfo, error) {
			return c.Events(ctx, o.Selection, p)
		})
	})
}

func runEventsShow(ctx context.Context, o *eventsOptions, name string) error {
	return o.Look(ctx, func(c *client.Client) error {
		find := c.Event
		if o.byID {
			find = c.EventByID
		}
		ev, err := find(ctx, name)
		if err != nil {
			return err
		}
		runs, _, err := c.Runs(ctx, search.Selection{Event: "#" + strconv.FormatInt(ev.Sequence, 10)}, api.Paging{Limit: output.Page})
		if err != nil {
			return err
		}
		var chain *api.Chain
		if !o.noTree {
			c, err := c.Chain(ctx, ev)
			if err != nil {
				return err
			}
			chain = &c
		}
		if o.JSON() {
			return o.PrintJSON(struct {
				Event *events.Event `json:"event"`
				Runs  []api.Run     `json:"runs"`
				Chain *api.Chain    `json:"chain,omitempty"`
			}{ev, runs, chain})
		}
		p := o.Printer()
		fmt.Fprintf(o.Out, "seq            %d\n", ev.Sequence)
		if err := p.EventDetails(ev, ""); err != nil {
			return err
		}
		if len(runs) > 0 {
			fmt.Fprintln(o.Out)
			if err := output.List(p, output.Runs(), runs); err != nil {
				return err
			}
		}
		if chain == nil || len(chain.Events) < 2 {
			return nil
		}
		fmt.Fprintln(o.Out)
		return p.Tree(chain, ev.Sequence)
	})
}
