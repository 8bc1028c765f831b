package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"evrun/tasks/fault"
)

// Labeled is something with labels, such as a handler.
type Labeled interface {
	LabelsOf() map[string]string
}

// ByLabels returns the things that have all of the wanted labels: KEY=VALUE, or KEY with any value. If none has, hint names a label that may have been
// meant, or lists those that there are.
func ByLabels[T Labeled](all []T, wanted []string) (chosen []T, hint string) {
	if len(wanted) == 0 {
		return all, ""
	}
	for _, one := range all {
		if labeled(one.LabelsOf(), wanted) {
			chosen = append(chosen, one)
		}
	}
	if len(chosen) > 0 {
		return chosen, ""
	}
	return nil, labelHint(all, wanted)
}

func labeled(labels map[string]string, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(want string) bool {
		key, value, exact := strings.Cut(want, "=")
		has, ok := labels[key]
		return !ok || exact && has != value
	})
}

// labelHint names what may have been meant with labels that nothing has.
func labelHint[T Labeled](all []T, wanted []string) string {
	known := map[string]bool{}
	for _, one := range all {
		for key, value := range one.LabelsOf() {
			known[key], known[key+"="+value] = true, true
		}
	}
	if len(known) == 0 {
		return "nothing has labels: write labels: {team: billing} at a handler, a schedule or a hook"
	}
	for _, want := range wanted {
		if known[want] {
			continue
		}
		var same []string // the same kind: with a value, or without
		for label := range maps.Keys(known) {
			if strings.Contains(label, "=") == strings.Contains(want, "=") {
				same = append(same, label)
			}
		}
		slices.Sort(same)
		if word := fault.DidYouMean(want, same); word != "" {
			return word
		}
		if len(same) > 10 {
			same = append(same[:10], "…")
		}
		return fmt.Sprintf("nothing has %s; there are %s", want, strings.Join(same, ", "))
	}
	return "nothing has all of these labels"
}

// LabelTexts writes labels as KEY=VALUE, in the order of the keys.
func LabelTexts(labels map[string]string) (texts []string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, key+"="+labels[key])
	}
	return texts
}

// LabelsOf implements [Labeled].
func (s HandlerStatus) LabelsOf() map[string]string { return s.Labels }
