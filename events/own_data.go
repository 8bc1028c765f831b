package events

import "slices"

// Member is a member of the data of an event.
type Member struct {
	Name string
	Type string // as a reader of JSON calls it: text, number, true/false, time, list, map
	Doc  string
	Some bool // it is left out where it says nothing
}

// The data of evrun's own events: see [OwnType.Data].
var (
	dataOfStarted = []Member{
		{Name: "version", Type: "text", Doc: "The version of evrun."},
		{Name: "reboot", Type: "true/false", Doc: "true: the first start of evrun since the machine was started, unless that was longer ago than retention.events and dedupe together. Where boot is missing, it is true at each start."},
		{Name: "boot", Type: "text", Doc: "The machine's id of this start of it. Linux has one.", Some: true},
	}
	dataOfRunDead = []Member{
		{Name: "run", Type: "text", Doc: "The id of the run, for evrun runs show."},
		nameOfHandler,
		{Name: "event", Type: "text", Doc: "The id of the event that the run was for."},
		{Name: "type", Type: "text", Doc: "The type of that event."},
		{Name: "seq", Type: "text", Doc: "The number of that event in the journal, in decimal digits."},
		{Name: "attempt", Type: "number", Doc: "How many attempts there were."},
		{Name: "error", Type: "text", Doc: "Why the last attempt failed."},
		{Name: "level", Type: "number", Doc: "1; or 2 when the run handled an event of level 1, such as an alert that failed."},
	}
	dataOfMissed = []Member{
		nameOfSchedule,
		{Name: "type", Type: "text", Doc: "The type of event that it publishes."},
		{Name: "reason", Type: "text", Doc: "Why the slots were left out, in words."},
		{Name: "count", Type: "number", Doc: "How many slots."},
		{Name: "first", Type: "time", Doc: "The first of them."},
		{Name: "last", Type: "time", Doc: "The last of them."},
		{Name: "slots", Type: "list of times", Doc: "The slots, 1,000 at most."},
		{Name: "error", Type: "text", Doc: "What went wrong, if something did.", Some: true},
	}
	dataOfUnfinished = []Member{
		nameOfHandler,
		{Name: "waiting", Type: "number", Doc: "How many events wait for their first attempt."},
		{Name: "at_most", Type: "true/false", Doc: "true: waiting is an upper bound.", Some: true},
		{Name: "running", Type: "number", Doc: "How many runs are in an attempt."},
		{Name: "retrying", Type: "number", Doc: "How many runs wait for their next attempt."},
		{Name: "dead", Type: "number", Doc: "How many runs are dead."},
	}
	dataOfReturned = append(slices.Clip(dataOfUnfinished),
		Member{Name: "left_at", Type: "time", Doc: "When it had left the wiring file.", Some: true})
	dataOfSkipped = []Member{
		nameOfHandler,
		{Name: "events", Type: "number", Doc: "How many events won't be handled."},
		{Name: "at_most", Type: "true/false", Doc: "true: events is an upper bound.", Some: true},
		{Name: "runs", Type: "number", Doc: "How many runs were dropped."},
		{Name: "after", Type: "number", Doc: "The seq after which the events came."},
		{Name: "why", Type: "text", Doc: "resume or forget: the command that left them out."},
	}
	changes        = "What changed: added, removed and changed, each a list of names."
	dataOfReloaded = []Member{
		pathOfFile,
		{Name: "handlers", Type: "map", Doc: changes},
		{Name: "schedules", Type: "map", Doc: changes},
		{Name: "events", Type: "map", Doc: changes},
		{Name: "hooks", Type: "map", Doc: changes},
		{Name: "settings", Type: "list of texts", Doc: "Changed settings that have taken effect.", Some: true},
		{Name: "restart", Type: "list of texts", Doc: "Changed settings that need a restart.", Some: true},
		{Name: "left", Type: "list of maps", Doc: "Handlers that have left, with what waits for them.", Some: true},
		{Name: "paused", Type: "list of maps", Doc: "Handlers that returned late, and wait for evrun handlers resume.", Some: true},
	}
	dataOfRejected = []Member{
		pathOfFile,
		{Name: "errors", Type: "list of texts", Doc: "What is wrong with it, each with its line and column."},
	}
)

// The data of the events of the audit trail, each with who did it.
var (
	dataOfRun    = audited(idOfRun, countOfRuns, reasonGiven)
	dataOfEdited = audited(
		idOfRun, countOfRuns,
		Member{Name: "event", Type: "text", Doc: "The id of the event with the changed data."},
		Member{Name: "source", Type: "text", Doc: "The source of that event."})
	dataOfReplayed = audited(nameOfHandler,
		Member{Name: "events", Type: "list of texts", Doc: "The events, as they were named: ids or numbers."},
		Member{Name: "count", Type: "number", Doc: "How many events."},
		Member{Name: "again", Type: "true/false", Doc: "true: also events that were replayed before.", Some: true})
	dataOfPruned = audited(
		Member{Name: "events", Type: "number", Doc: "How many events were deleted."},
		Member{Name: "chains", Type: "number", Doc: "How many chains they were."},
		Member{Name: "runs", Type: "number", Doc: "How many runs were deleted with them."})
	dataOfBatch = audited(
		Member{Name: "batch", Type: "text", Doc: "The id of the batch."},
		Member{Name: "action", Type: "text", Doc: "What it does: retry, cancel, drop, edit, replay, rerun or erase."},
		Member{Name: "total", Type: "number", Doc: "How many runs or events are selected."},
		Member{Name: "selection", Type: "map", Doc: "What is selected, as flags and parameters name it; not of an erasure.", Some: true},
		Member{Name: "to", Type: "text", Doc: "The handler that events are replayed to.", Some: true},
		reasonGiven)
	dataOfBatchStart  = append(slices.Clip(dataOfBatch), Member{Name: "resumed", Type: "true/false", Doc: "true: it goes on where it was stopped.", Some: true})
	dataOfBatchEnd    = append(slices.Clip(dataOfBatch), Member{Name: "changed", Type: "number", Doc: "How many it changed."})
	dataOfHandlerHeld = audited(nameOfHandler, reasonGiven)
	dataOfHandlerSkip = audited(nameOfHandler,
		Member{Name: "skipped_events", Type: "number", Doc: "How many events won't be handled.", Some: true},
		Member{Name: "dropped_runs", Type: "number", Doc: "How many runs were dropped.", Some: true},
		Member{Name: "at_most", Type: "true/false", Doc: "true: skipped_events is an upper bound.", Some: true})
	dataOfSchedule   = audited(nameOfSchedule)
	dataOfFired      = audited(nameOfSchedule, Member{Name: "event", Type: "text", Doc: "The id of the extra event."})
	dataOfBackfilled = audited(nameOfSchedule,
		Member{Name: "from", Type: "time", Doc: "Where the slots begin, inclusive."},
		Member{Name: "to", Type: "time", Doc: "Where they end, exclusive."},
		Member{Name: "count", Type: "number", Doc: "How many slots there are."})
	dataOfRead = audited(
		pathOfFile,
		Member{Name: "because", Type: "text", Doc: "Why it was read: request (evrun reload), signal (SIGHUP) or file (it has changed)."})
	dataOfImported = audited(
		Member{Name: "inserted", Type: "number", Doc: "How many users are new."},
		Member{Name: "updated", Type: "number", Doc: "How many were changed."},
		Member{Name: "kept", Type: "number", Doc: "How many were known and stayed as they were."},
		Member{Name: "refused", Type: "number", Doc: "How many lines were refused."})
	nameOfToken     = Member{Name: "name", Type: "text", Doc: "The name of the token."}
	dataOfToken     = audited(nameOfToken)
	dataOfTokenMade = audited(nameOfToken,
		Member{Name: "rights", Type: "list of texts", Doc: "What it allows: read, operate, admin, emit, or emit and a pattern."},
		Member{Name: "rate", Type: "text", Doc: "How many events it publishes at most.", Some: true},
		Member{Name: "expires_at", Type: "time", Doc: "When it ends.", Some: true})
	dataOfRestored = audited(
		Member{Name: "file", Type: "text", Doc: "The backup."},
		Member{Name: "seq", Type: "text", Doc: "The number of the last event in it, in decimal digits."},
		Member{Name: "lost", Type: "number", Doc: "How many events the store had accepted since, if that is known.", Some: true})
)

// Members that several events have.
var (
	nameOfHandler  = Member{Name: "handler", Type: "text", Doc: "The name of the handler."}
	nameOfSchedule = Member{Name: "schedule", Type: "text", Doc: "The name of the schedule."}
	pathOfFile     = Member{Name: "path", Type: "text", Doc: "The wiring file."}
	idOfRun        = Member{Name: "run", Type: "text", Doc: "The id of the run."}
	countOfRuns    = Member{Name: "count", Type: "number", Doc: "How many runs."}
	reasonGiven    = Member{Name: "reason", Type: "text", Doc: "The reason that was given with --reason.", Some: true}
)

// audited adds who did it.
func audited(more ...Member) []Member {
	return append(more,
		Member{Name: "who", Type: "text", Doc: `Who did it: "ada (uid 1000)".`},
		Member{Name: "uid", Type: "number", Doc: "The user id of the process that asked.", Some: true},
		Member{Name: "user", Type: "text", Doc: "The name of that user.", Some: true},
		Member{Name: "token", Type: "text", Doc: "The name of the token that allowed it.", Some: true})
}
