package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api/client"
	"evrun/cmd/output"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/emitter"
)

type eventsOptions struct {
	*env
	patterns []string
	since    time.Duration
	chain    string
	limit    int
	byID     bool
}

func newEventsCmd(e *env) *cobra.Command {
	o := &eventsOptions{env: e}
	c := &cobra.Command{
		Use:   "events",
		Short: "Show the accepted events",
	}
	list := &cobra.Command{
		Use:   "list [PATTERN...]",
		Short: "List events, newest first, of the types that match a pattern (user.*, order.>)",
		Example: `  evrun events list 'user.*' --since 1h
  evrun events list --chain 3 -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			o.patterns = args
			return runEventsList(c.Context(), o)
		},
	}
	f := list.Flags()
	f.DurationVar(&o.since, "since", 0, "only events accepted in the last 10m, 2h, …")
	f.StringVar(&o.chain, "chain", "", "only the chain that this event (its number or id) belongs to: the first one, and all that it caused")
	limitFlag(list, &o.limit, 100)
	show := &cobra.Command{
		Use:   "show SEQ|ID",
		Short: "Show one event, with its data and its runs",
		Long:  "Shows one event, with its data and its runs. A number is the seq of an event; where no event has it, or with --id, it is an id.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("events show takes one seq or id")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return runEventsShow(c.Context(), o, args[0]) },
	}
	show.Flags().BoolVar(&o.byID, "id", false, "it is an id, even if it is a number")
	return group(c, list, show)
}

func runEventsList(ctx context.Context, o *eventsOptions) error {
	q := store.EventQuery{Last: true}
	for _, text := range o.patterns {
		p, err := emitter.ParsePattern(text)
		if err != nil {
			return usage("%v", err)
		}
		q.Patterns = append(q.Patterns, p)
	}
	if err := checkLimit(o.limit); err != nil {
		return err
	}
	switch {
	case o.since < 0:
		return usage("--since %v: not below 0", o.since)
	case o.since > 0:
		q.Since = time.Now().Add(-o.since)
	}
	return o.look(ctx, func(c *client.Client) error {
		if o.chain != "" {
			member, err := findEvent(ctx, c, o.chain)
			if err != nil {
				return err
			}
			q.Chain = member.Chain
		}
		if o.json() {
			return pages(o.env, nil, o.limit, func(last *json.RawMessage, n int) ([]json.RawMessage, error) {
				if q.Limit = n; last != nil {
					var ev events.Event
					if err := unmarshal(*last, &ev); err != nil {
						return nil, err
					}
					q.Before = ev.Sequence
				}
				page, err := c.EventLines(ctx, q)
				slices.Reverse(page)
				return page, err
			})
		}
		return pages(o.env, output.Events(), o.limit, func(last **events.Event, n int) ([]*events.Event, error) {
			if q.Limit = n; last != nil {
				q.Before = (*last).Sequence
			}
			page, err := c.Events(ctx, q)
			slices.Reverse(page)
			return page, err
		})
	})
}

func runEventsShow(ctx context.Context, o *eventsOptions, name string) error {
	return o.look(ctx, func(c *client.Client) error {
		find := findEvent
		if o.byID {
			find = func(ctx context.Context, c *client.Client, id string) (*events.Event, error) { return c.Event(ctx, id) }
		}
		ev, err := find(ctx, c, name)
		if err != nil {
			return err
		}
		runs, err := c.Runs(ctx, store.RunQuery{Sequence: ev.Sequence, Limit: output.Page})
		if err != nil {
			return err
		}
		if o.json() {
			return o.printJSON(map[string]any{"event": ev, "runs": runs})
		}
		fmt.Fprintf(o.out, "seq            %d\n", ev.Sequence)
		if err := o.printer().EventDetails(ev, ""); err != nil || len(runs) == 0 {
			return err
		}
		fmt.Fprintln(o.out)
		return output.List(o.printer(), output.Runs(), runs)
	})
}
