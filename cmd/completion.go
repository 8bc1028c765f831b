package cmd

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/tasks/fault"
)

// shells can complete evrun's command lines.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
}

func newCompletionCmd(e *cli.Env) *cobra.Command {
	names := slices.Sorted(maps.Keys(shells))
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the script with which a shell completes evrun's commands",
		Long: `Prints the script with which a shell completes commands, flags and what they take: event types, handlers, schedules, runs, states,
time zones and files, as the daemon, the store and the wiring file have them.`,
		Example: `  source <(evrun completion bash)
  evrun completion bash > /etc/bash_completion.d/evrun
  evrun completion zsh > "${fpath[1]}/_evrun"
  evrun completion fish > ~/.config/fish/completions/evrun.fish`,
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || shells[args[0]] == nil {
				return cli.Usage("completion takes the name of a shell: %s", fault.Or(names))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if e.JSON() {
				return cli.Usage("completion prints a script, and has no -o json")
			}
			if err := shells[args[0]](c.Root(), e.Out); err != nil {
				return fmt.Errorf("completion: %w", err)
			}
			return nil
		},
	}
}
