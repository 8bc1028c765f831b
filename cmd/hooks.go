package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/hook"
	"evrun/cmd/output"
)

func newHooksCmd(e *cli.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "hooks",
		Short: "Show the hooks, what came in by them, and what was refused",
		Long: `Shows the hooks of the wiring file: the paths /hooks/NAME, which make events of what others send. With a daemon it also shows what
came in by them since it began, and of the last 100 refused requests of each hook why they were refused, without
their bodies, which are not kept.`,
	}
	var labels []string
	list := &cobra.Command{
		Use:   "list [NAME...]",
		Short: "List the hooks, and how many requests they took and refused",
		Example: `  evrun hooks list
  evrun hooks list --label team=billing`,
		ValidArgsFunction: e.CompleteHooks,
		RunE:              func(c *cobra.Command, names []string) error { return runHooksList(c.Context(), e, names, labels) },
	}
	e.LabelFlag(list, &labels, "only hooks with this label")
	show := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one hook, with the requests that it refused",
		Example:           "  evrun hooks show github",
		Args:              cli.NamesOf("hook", 1),
		ValidArgsFunction: e.CompleteHooks,
		RunE:              func(c *cobra.Command, args []string) error { return runHooksShow(c.Context(), e, args[0]) },
	}
	return cli.Group(c, list, show)
}

func runHooksList(ctx context.Context, e *cli.Env, names, labels []string) error {
	all, err := cli.Asked(ctx, e, cli.ReadsWiring, func(c *client.Client) ([]hook.Traffic, error) { return c.Hooks(ctx) })
	if err != nil {
		return err
	}
	all, none, err := cli.Wired("hook", all, func(h hook.Traffic) string { return h.Name }, names, labels)
	if err != nil {
		return err
	}
	return cli.List(e, output.WithLabels(output.Hooks(), all), all, none)
}

func runHooksShow(ctx context.Context, e *cli.Env, name string) error {
	h, err := cli.Asked(ctx, e, cli.ReadsWiring, func(c *client.Client) (hook.Traffic, error) { return c.Hook(ctx, name) })
	if err != nil {
		return err
	}
	return e.Printer().Hook(h)
}
