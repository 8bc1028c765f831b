package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/output"
)

func newUsersCmd(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "users",
		Short: "Show the stored users",
	}
	o := &selection{}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the users, in the order they came",
		Example: "  evrun users list -n 20",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runUsersList(c.Context(), e, o) },
	}
	o.pageFlags(list, 0)
	show := &cobra.Command{
		Use:     "show EMAIL|ID",
		Short:   "Show one user",
		Example: "  evrun users show ada@example.com",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("users show takes one e-mail address or id")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return runUsersShow(c.Context(), e, args[0]) },
	}
	return group(c, list, show)
}

func runUsersList(ctx context.Context, e *env, o *selection) error {
	if err := checkLimit(o.limit); err != nil {
		return err
	}
	return e.look(ctx, func(c *client.Client) error {
		return listed(e, o, output.Users(), func(p api.Paging) ([]api.User, api.PageInfo, error) { return c.Users(ctx, p) })
	})
}

func runUsersShow(ctx context.Context, e *env, key string) error {
	return e.look(ctx, func(c *client.Client) error {
		u, err := c.User(ctx, key)
		if err != nil {
			return err
		}
		return e.printer().User(u)
	})
}
