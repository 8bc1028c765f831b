package cli

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"evrun/cmd/config"
	"evrun/tasks/control"
)

// LabelFlag adds --label, which selects things by the labels that they have in the wiring file.
func (e *Env) LabelFlag(c *cobra.Command, labels *[]string, doc string) {
	c.Flags().StringArrayVar(labels, "label", nil, doc+": KEY=VALUE, or KEY with any value (may be repeated: all of them)")
	_ = c.RegisterFlagCompletionFunc("label", e.completeLabels) // an error means that the flag does not exist
}

// completeLabels lists the labels of the wiring file.
func (e *Env) completeLabels(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return e.completeWired(c, func(w *config.Wiring) []string {
		known := map[string]bool{}
		add := func(labels map[string]string) {
			for key, value := range labels {
				known[key], known[key+"="+value] = true, true
			}
		}
		for _, h := range w.Handlers {
			add(h.Labels)
		}
		for _, s := range w.Schedules {
			add(s.Labels)
		}
		for _, h := range w.Hooks {
			add(h.Labels)
		}
		return slices.Sorted(maps.Keys(known))
	})
}

// CheckLabels refuses a --label without a key.
func CheckLabels(labels []string) error {
	for _, label := range labels {
		if key, _, _ := strings.Cut(label, "="); strings.TrimSpace(key) == "" {
			return Usage("--label %q: write KEY=VALUE or KEY", label)
		}
	}
	return nil
}

// ByLabels returns the things that have all of the labels. If none has, hint says why.
func ByLabels[T control.Labeled](all []T, labels []string) (chosen []T, hint string, err error) {
	if err := CheckLabels(labels); err != nil {
		return nil, "", err
	}
	chosen, hint = control.ByLabels(all, labels)
	return chosen, hint, nil
}

// Wired returns the things (schedules, handlers) with these names, all without a name, that have all of the labels. none is what a list
// without any says.
func Wired[T control.Labeled](thing string, all []T, nameOf func(T) string, names, labels []string) (chosen []T, none string, err error) {
	none = "no " + thing + " is wired"
	if len(all) > 0 {
		none = "no such " + thing
	}
	if all, err = Named(thing, all, nameOf, names); err != nil {
		return nil, "", err
	}
	chosen, hint, err := ByLabels(all, labels)
	return chosen, cmp.Or(hint, none), err
}
