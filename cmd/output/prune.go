package output

import (
	"fmt"

	"evrun/cmd/api"
	"evrun/store"
	"evrun/tasks/fault"
)

// Pruned writes what was pruned, or would be, and what is kept.
func (p *Printer) Pruned(done api.Pruned) error {
	if p.JSON {
		return p.Object(map[string]any{"pruned": done})
	}
	verb, lost := "pruned", "lost"
	if done.DryRun {
		verb, lost = "would prune", "would lose"
	}
	text := fmt.Sprintf("%s %s in %s, with %s (%s)\n", verb, fault.Plural(int(done.Events), "event"), fault.Plural(int(done.Chains), "chain"),
		fault.Plural(int(done.Runs), "run"), bytesOf(done.Bytes))
	for _, k := range done.Kept {
		text += fmt.Sprintf("keeps %s with %s, the first is #%d: %s\n", fault.Plural(int(k.Chains), "chain"), fault.Plural(int(k.Events), "event"), k.First, keptBecause(&k))
	}
	for _, l := range done.Lost {
		text += fmt.Sprintf("handler %s left the file, and %s %s and %s\n", l.Handler, lost, fault.Plural(int(l.Events), "event"), fault.Plural(int(l.Runs), "unfinished run"))
	}
	text += fmt.Sprintf("the file has %s, %s of it free\n", bytesOf(done.Space.File), bytesOf(done.Space.Free))
	if !done.Space.Shrinks && done.Space.Free > 0 {
		text += "an older evrun made the file, which does not shrink: new data takes the free space first\n"
	}
	return p.printf("%s", text)
}

// keptBecause says why chains are kept.
func keptBecause(k *store.Kept) string {
	switch k.Reason {
	case store.KeptDead:
		return "dead runs of " + k.Handler + ", until they are retried or dropped"
	case store.KeptRunning, store.KeptRetrying:
		return string(k.Reason) + " runs of " + k.Handler
	case store.KeptWaiting:
		return "events that wait for " + k.Handler
	case store.KeptYoung:
		return "later events of theirs are not old enough"
	case store.KeptStart:
		return "accepted without a daemon, for the handlers of its next start"
	case store.KeptBatch:
		return "an action on a selection goes on, and keeps everything"
	}
	return string(k.Reason)
}
