package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// How a stop says what it waits for.
const (
	sayFirst    = 200 * time.Millisecond // most attempts have ended by then
	sayEvery    = 10 * time.Second
	namedInLogs = 20
)

// await waits for the runner, and says again and again what that waits for.
func (a *app) await(runner *part) {
	next := time.NewTimer(sayFirst)
	defer next.Stop()
	for {
		select {
		case <-runner.done:
			return
		case <-next.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		var runs []string
		all := a.runner.InFlight(ctx)
		cancel()
		for _, f := range all[:min(len(all), namedInLogs)] {
			runs = append(runs, fmt.Sprintf("%s (attempt %d, for %v)", f.RunID, f.Attempt, time.Since(f.Since).Round(time.Millisecond)))
		}
		if len(all) > namedInLogs {
			runs = append(runs, fmt.Sprintf("and %d more", len(all)-namedInLogs))
		}
		if len(runs) > 0 {
			a.log.Info("stopping: waiting for what is in flight", "runs", strings.Join(runs, ", "))
		}
		next.Reset(sayEvery)
	}
}
