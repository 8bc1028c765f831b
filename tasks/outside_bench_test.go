package tasks_test

import (
	"fmt"
	"testing"

	"evrun/tasks"
)

// BenchmarkOutside measures what a claimed attempt costs: the events of an outside handler alone that does nothing, until all runs are settled.
func BenchmarkOutside(b *testing.B) {
	for _, concurrency := range []int{4, 64} {
		b.Run(fmt.Sprint("concurrency-", concurrency), func(b *testing.B) {
			d := start(b, path(b), &tasks.Handler{Name: "nothing", On: on("user.registered"), Kind: "nothing", Concurrency: concurrency, Action: nothing{}})
			bulk(b, d, d.allSettled)
		})
	}
}
