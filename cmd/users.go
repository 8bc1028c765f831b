package cmd

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/events"
)

func newUsersCmd(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "users",
		Short: "Show the stored users",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	limit := 0
	list := &cobra.Command{
		Use:   "list",
		Short: "List the users, in the order they came",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return runUsersList(c.Context(), e, limit) },
	}
	list.Flags().IntVar(&limit, "limit", 0, "at most so many (default: all)")
	show := &cobra.Command{
		Use:   "show EMAIL|ID",
		Short: "Show one user",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("users show takes one e-mail address or id")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return runUsersShow(c.Context(), e, args[0]) },
	}
	c.AddCommand(list, show)
	return c
}

func runUsersList(ctx context.Context, e *env, limit int) error {
	if limit < 0 {
		return usage("--limit %d: not below 0", limit)
	}
	return e.look(ctx, func(c *api.Client) error {
		table := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		if !e.json() {
			fmt.Fprintln(table, "ID\tNAME\tEMAIL\tCREATED")
		}
		for after, n := int64(0), 0; ; {
			page, err := c.Users(ctx, after, listPage)
			if err != nil {
				return err
			}
			for _, u := range page {
				if limit > 0 && n == limit {
					return table.Flush()
				}
				if e.json() {
					err = e.printJSON(u)
				} else {
					_, err = fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", u.ID, events.EscapeControl(u.Name), events.EscapeControl(u.Email), u.CreatedAt.Format(time.RFC3339))
				}
				if err != nil {
					return err
				}
				after = u.ID
				n++
			}
			if len(page) == 0 {
				return table.Flush()
			}
		}
	})
}

func runUsersShow(ctx context.Context, e *env, key string) error {
	return e.look(ctx, func(c *api.Client) error {
		u, err := c.User(ctx, key)
		if err != nil {
			return err
		}
		if e.json() {
			return e.printJSON(u)
		}
		return e.showUser(u)
	})
}

func (e *env) showUser(u api.User) error {
	attributes := "none"
	if u.Attributes != nil {
		attributes = string(u.Attributes)
	}
	table := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "id\t%d\nname\t%s\nemail\t%s\nattributes\t%s\ncreated\t%s\nevent\t%s\n", u.ID, events.EscapeControl(u.Name),
		events.EscapeControl(u.Email), events.EscapeControl(attributes), u.CreatedAt.Format(time.RFC3339), events.EscapeControl(u.EventID))
	return table.Flush()
}
