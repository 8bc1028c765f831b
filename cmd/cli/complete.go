package cli

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
	"evrun/cmd/config"
	"evrun/store"
	"evrun/tasks/search"
)

// CompleteFlag registers the values that the shell suggests for a flag.
func CompleteFlag(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // an error means that the flag does not exist
}

// CompleteFile suggests wiring files.
func CompleteFile(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// completing sets the global flags, since no command runs while a shell completes. It reports whether they are valid.
func (e *Env) completing(c *cobra.Command) bool {
	e.Command, e.Quiet = c, true
	return e.checkGlobal() == nil
}

// completeWired suggests what names returns, of a wiring file that can be read.
func (e *Env) completeWired(c *cobra.Command, names func(*config.Wiring) []string) ([]string, cobra.ShellCompDirective) {
	if e.completing(c) {
		if cfg, err := e.Load(); err == nil {
			return names(&cfg.Wiring), cobra.ShellCompDirectiveNoFileComp
		}
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// CompleteHandlers lists the handlers in one of these states (none: in any), as the daemon or the store knows them.
func (e *Env) CompleteHandlers(states ...string) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if e.completing(c) {
			list, _ := e.Handlers(c.Context()) // without any nothing is suggested
			for _, h := range list {
				if len(states) == 0 || slices.Contains(states, h.State) {
					names = append(names, h.Name+"\t"+h.State)
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteTypes lists the event types that handlers are wired to, schedules and hooks publish or the file declares.
func (e *Env) CompleteTypes(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.completeWired(c, func(w *config.Wiring) []string {
		types := map[string]bool{}
		for _, h := range w.Handlers {
			for _, p := range h.On {
				types[p.String()] = true
			}
		}
		for _, s := range w.Schedules {
			types[s.Type] = true
		}
		for _, h := range w.Hooks {
			if typ, whole := h.Types(); whole {
				types[typ] = true
			}
		}
		for _, t := range w.Events {
			types[t.Type] = true
		}
		return slices.Sorted(maps.Keys(types))
	})
}

// CompleteFirst suggests what of does for the first argument, and nothing for others.
func CompleteFirst(of cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return of(c, args, begun)
	}
}

// CompleteTests lists the tests of the wiring file.
func (e *Env) CompleteTests(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.completeWired(c, func(w *config.Wiring) (names []string) {
		for _, t := range w.Tests {
			names = append(names, t.Name)
		}
		return names
	})
}

// zoneTable has the names of time zones, one a line, in its third column.
const zoneTable = "/usr/share/zoneinfo/zone1970.tab"

// completeZones lists time zones, if the machine has a table of them.
func completeZones(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	text, _ := os.ReadFile(zoneTable) // without it only UTC is suggested
	for line := range strings.Lines(string(text)) {
		if columns := strings.Split(strings.TrimSpace(line), "\t"); !strings.HasPrefix(line, "#") && len(columns) > 2 {
			names = append(names, columns[2])
		}
	}
	return append(names, "UTC"), cobra.ShellCompDirectiveNoFileComp
}

// CompleteTokens lists the tokens that can be revoked.
func (e *Env) CompleteTokens(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if e.completing(c) {
		_ = e.Look(c.Context(), func(client *client.Client) error { // without a store nothing is suggested
			all, err := client.Tokens(c.Context())
			for _, t := range all {
				if t.Source == string(access.Stored) {
					names = append(names, t.Name+"\t"+strings.Join(t.Rights, ", "))
				}
			}
			return err
		})
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// CompleteSchedules lists the wired schedules.
func (e *Env) CompleteSchedules(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.completeWired(c, func(w *config.Wiring) (names []string) {
		for _, s := range w.Schedules {
			names = append(names, s.Name+"\t"+s.Timing.Describe())
		}
		return names
	})
}

// CompleteHooks lists the wired hooks.
func (e *Env) CompleteHooks(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.completeWired(c, func(w *config.Wiring) (names []string) {
		for _, h := range w.Hooks {
			names = append(names, h.Name+"\t"+h.Type.String())
		}
		return names
	})
}

// CompleteRuns lists the newest runs in one of these states (none: in any).
func (e *Env) CompleteRuns(states ...store.RunState) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var ids []string
		if e.completing(c) {
			sel := search.Selection{States: search.StateNames(states...)}
			if len(states) == 0 {
				sel.States = nil
			}
			_ = e.Look(c.Context(), func(client *client.Client) error { // without a store nothing is suggested
				runs, _, err := client.Runs(c.Context(), sel, api.Paging{Limit: 100})
				for _, r := range runs {
					ids = append(ids, r.ID+"\t"+r.State+", "+r.Type)
				}
				return err
			})
		}
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}
