package web

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"evrun/tasks/fault"
)

// The size of a sparkline's bar, and its height, in units of its picture.
const (
	sparkBar    = 4
	sparkHeight = 24
)

// sparkline is a picture of what a handler did in equal steps: a bar for the runs that ended in a step, and below it one for the attempts that failed.
func sparkline(ended, failed []int64) template.HTML {
	var all, wrong, most int64 = 0, 0, 1
	for i := range ended {
		all, wrong = all+ended[i], wrong+failed[i]
		most = max(most, ended[i], failed[i])
	}
	text := "nothing ended"
	if all+wrong > 0 {
		text = fmt.Sprintf("%s ended, %s failed; at most %d in a bar", fault.Plural(int(all), "run"), fault.Plural(int(wrong), "attempt"), most)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s"><title>%s</title>`, len(ended)*sparkBar, sparkHeight, text, text)
	for i := range ended {
		bar(&b, "ended", i, ended[i], most)
		bar(&b, "failed", i, failed[i], most)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // of numbers
}

func bar(b *strings.Builder, class string, at int, n, most int64) {
	if n > 0 {
		height := max(float64(n)/float64(most)*sparkHeight, 2)
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f"/>`, class, at*sparkBar, sparkHeight-height, sparkBar-1, height)
	}
}

// padded is the end of a list, with zeros before it where there is too little.
func padded(list []int64, n int) []int64 {
	if len(list) >= n {
		return list[len(list)-n:]
	}
	return slices.Concat(make([]int64, n-len(list)), list)
}
