package metrics

import (
	"maps"
	"slices"
	"strings"
)

// Table returns the names of all metrics, and the help of each.
func Table() (names []string, help map[string]string) {
	help = map[string]string{}
	for _, m := range table {
		names = append(names, m.Name)
		help[m.Name] = m.Help
	}
	return names, help
}

// Expressions returns the dashboard's expressions, with values for its variables.
func Expressions() (list []string) {
	for _, r := range dashboard {
		for _, p := range r.panels {
			for _, l := range p.lines {
				list = append(list, strings.NewReplacer(`"$job"`, `".*"`, `"$instance"`, `".*"`, `"$handler"`, `".*"`, "$__rate_interval", "5m").Replace(l.text()))
			}
		}
	}
	return list
}

// AlertNames are the alerts' names.
func AlertNames() []string {
	names := map[string]bool{}
	for _, a := range Alerts {
		names[a.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
