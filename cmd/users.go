package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/output"
)

func newUsersCmd(e *cli.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "users",
		Short: "Show the stored users, import and export them",
	}
	o := &cli.SelectionFlags{}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the users, in the order they came",
		Example: "  evrun users list -n 20",
		Args:    cli.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runUsersList(c.Context(), e, o) },
	}
	o.AddPageFlags(list, 0)
	show := &cobra.Command{
		Use:     "show EMAIL|ID",
		Short:   "Show one user",
		Example: "  evrun users show ada@example.com",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("users show takes one e-mail address or id")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return runUsersShow(c.Context(), e, args[0]) },
	}
	return cli.Group(c, list, show, newUsersImportCmd(e), newUsersExportCmd(e))
}

func runUsersList(ctx context.Context, e *cli.Env, o *cli.SelectionFlags) error {
	if err := cli.CheckLimit(o.Limit); err != nil {
		return err
	}
	return e.Look(ctx, func(c *client.Client) error {
		return cli.ListPages(e, o, output.Users(), func(p api.Paging) ([]api.User, api.PageInfo, error) { return c.Users(ctx, p) })
	})
}

func runUsersShow(ctx context.Context, e *cli.Env, key string) error {
	return e.Look(ctx, func(c *client.Client) error {
		u, err := c.User(ctx, key)
		if err != nil {
			return err
		}
		return e.Printer().User(u)
	})
}
