// Package storetest has the tests of a store's promises. Every driver runs them.
package storetest

import (
	"context"
	"errors"
	"testing"

	"evrun/events"
	"evrun/store"
	"evrun/store/storetest/steps"
)

// Driver is the driver under test.
type Driver struct {
	// Open makes an empty store for one test and starts its Run; both end with the test.
	Open func(t *testing.T, opt store.Options) store.Store
	// InFile says that the store is a file: it makes backups of it, and gives freed space back.
	InFile bool
	// Parse reads the user statements, and Bytes is the type of bytes in them.
	Parse store.StatementParser
	Bytes string
}

// Run checks a driver against all promises of a store.
func Run(t *testing.T, d Driver) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Driver)
	}{
		{"an appended event comes back as it was", roundTrip},
		{"an event with one rare attribute keeps it", rareAttributes},
		{"an event without a payload or with bytes keeps it so", payloads},
		{"sequences grow by one in order of acceptance", sequences},
		{"a source and id are accepted once", duplicates},
		{"a duplicate within one append is accepted once", duplicateInBatch},
		{"events with any attributes come back as they were", allShapes},
		{"duplicates among many events are told exactly, and take no sequence", manyDuplicates},
		{"concurrent appends of one event are accepted once", duplicateRace},
		{"events are selected by type, time, chain and place", selection},
		{"it is known when an event was accepted", acceptedAt},
		{"an event begins a chain, or belongs to the one that it says", chains},
		{"a page with much data ends early and skips nothing", largePages},
		{"commits are published in order, before the write returns", publication},
		{"a new handler starts at the head, or at the start", registration},
		{"a handler that comes back goes on at its mark", returning},
		{"one that comes back late with work to do is paused until it is resumed", returningLate},
		{"one that comes back late goes on when it has nothing to do, or the wiring says so", returningLateUnpaused},
		{"a resumption can leave out what waits, and accepts events with it", resumption},
		{"a handler takes over the mark and the unsettled runs of the one that it was", takingOver},
		{"one that was registered since takes over too, and repeats nothing", takingOverLater},
		{"one that was wired beside it takes over its runs, and keeps its own backlog", takingOverBeside},
		{"what is to be taken over later goes along with who was to have it", takingOverInSteps},
		{"a pause is taken over too", takingOverAPause},
		{"a name that was handed on is new, and gives no id twice", handedOn},
		{"a handler that has left can be forgotten", forgetting},
		{"a run that waits for its handler says so", heldRuns},
		{"a backlog counts matching events without a run", backlog},
		{"what is accepted while nobody is registered is for handlers that are new afterwards", unattended},
		{"an inside effect and its run commit together", effectCommits},
		{"a failed effect leaves nothing but its run", effectUndone},
		{"an emitted event is accepted with its run", emission},
		{"an emitted event that is known already is an error, and nothing is written", clash},
		{"a known event among many emitted ones is an error", manyEmitted},
		{"a settlement of another attempt is fenced off", fencing},
		{"an outside attempt is recorded before it is settled", claims},
		{"a claim is given once", claimOnce},
		{"many claimed runs are settled, each or not at all", manyClaimed},
		{"a skipped run has the condition that was false, others have none", skippedBy},
		{"many runs settled together are as if settled one by one", manySettled},
		{"a claim made ahead doesn't count until it is settled", claimsAhead},
		{"a claim made ahead is withdrawn if its attempt has not begun", withdrawn},
		{"a settlement without a claim is not taken for a claimed one", claimedOnly},
		{"pending runs are running ones first, then those due first", pending},
		{"low-water marks only rise", marks},
		{"failed attempts are kept, oldest first", attempts},
		{"an attempt's output is kept with it", outputs},
		{"outputs of many attempts are kept with theirs", manyOutputs},
		{"what an attempt had printed before a kill is kept", partialOutputs},
		{"a run takes other events along, with itself or not at all", joins},
		{"events are read by their sequences", bySequence},
		{"the types of events are listed in order, each once", types},
		{"an uncounted attempt leaves the budget as it was", uncounted},
		{"a dead run can be retried with a new budget", retry},
		{"only dead runs are retried or dropped, unless others are asked for", retryOnlyDead},
		{"a paused handler stays paused, whatever the wiring, until it is resumed", pause},
		{"a disabled handler keeps its place, and says since when", disable},
		{"a retrying run that is retried is due now, and keeps its budget", retryNow},
		{"a waiting, retrying or interrupted run can be cancelled, and stays so", cancelStored},
		{"a running run is marked, and its failed attempt ends it as cancelled", cancelRunning},
		{"a cancelled run can be retried, even one that had not begun", retryCancelled},
		{"the events that a handler has yet to handle are its waiting runs", waitingRuns},
		{"a retried run has the attempt that it died of, whoever retried it before", retryAgain},
		{"a dropped run stays, and says so", drop},
		{"what waits for a handler that is not active can be dropped", dropWaiting},
		{"pending runs are read in order of sequence", pendingAfter},
		{"runs are paged without a gap or a repeat, newest event first", runPages},
		{"unsettled leaves out what has a run", unsettled},
		{"users are found by e-mail address, id, and listed in order", users},
		{"a known e-mail address is a conflict, ignored, or updated", userConflicts},
		{"users are imported one after the other, each once", usersImport},
		{"the data of an event is erased, and what it left in runs and users", erasing},
		{"the users of another event with the same id stay", erasingSameID},
		{"an event with a run that goes on is not erased", erasingOpen},
		{"what carries copies of an event's data is found", erasingCopies},
		{"a statement's values arrive and come back exactly, and as data only", statementValues},
		{"a statement's rows come in order, up to a bound", statementRows},
		{"a statement and its run commit together", statementWithItsRun},
		{"a statement that doesn't end is stopped, and harms nobody else", statementStopped},
		{"a statement can't write the store's own tables", statementRefused},
		{"a migration runs once, whole or not at all", migrations},
		{"a wiring takes the place of another whole, or not at all", rewire},
		{"migrations of a wiring have so much time in all", rewireWithin},
		{"a targeted event keeps its target, and waits for that handler alone", targets},
		{"a run ends for an event in its place, once, or stays", resending},
		{"an event for a handler that is not active is refused", targetsAreActive},
		{"a handler gets the events that are for its predecessors", targetsOfPredecessors},
		{"slots and marks are accepted together", slots},
		{"a token is made and revoked with its event, and its name is given once", tokens},
		{"there are so many tokens at most", tokensAreBounded},
		{"a batch moves from one place to the next, in the transaction that does what lies between", batchSteps},
		{"runs are changed together with the step of their batch", batchOfRuns},
		{"a step of a batch is done once", batchRace},
		{"old batches are deleted", batchesAreFew},
		{"a chain is pruned whole, with its runs, when all of it is old", prunedWhole},
		{"what a run or a handler needs is not pruned, and holds up nothing behind it", prunedUnlessNeeded},
		{"a handler that has left keeps nothing, and what it loses is counted", prunedOfLeft},
		{"a pruned event is known until its key is forgotten", prunedAndKnown},
		{"much is pruned in parts, and its space is free", prunedInPart},
		{"pruning is announced once", prunedAfterAnnouncement},
		{"pruning leaves what a naive model says", prunedAsTheModelSays},
		{"writes after the end are refused", closed},
		{"a backup is made beside writes, and ends at one of them", backupsBesideWrites},
		{"a backup ends with its context, and leaves the store as it was", backupsEnd},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, d) })
	}
}

var ctx = context.Background()

var (
	at       = steps.At
	event    = steps.Event
	outside  = steps.Outside
	newClock = steps.NewClock
)

func must[T any](v T, err error) func(*testing.T) T { return steps.Must(v, err) }

func appendAll(t *testing.T, s store.Store, evs ...*events.Event) []store.Receipt {
	t.Helper()
	receipts, err := s.Append(ctx, evs)
	if err != nil {
		t.Fatal(err)
	}
	return receipts
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func register(t *testing.T, s store.Store, names ...string) []store.Consumer {
	t.Helper()
	regs := make([]store.Registration, len(names))
	for i, n := range names {
		regs[i].Name = n
	}
	return must(s.Register(ctx, regs, nil))(t)
}

func settle(t *testing.T, s store.Store, settlements ...store.Settlement) []store.Settled {
	t.Helper()
	return must(s.Settle(ctx, store.SettleBatch{Settlements: settlements}))(t)
}

func runs(t *testing.T, s store.Store, q store.RunQuery) []store.Run {
	t.Helper()
	return must(s.Runs(ctx, q))(t)
}

// closed ends the store's Run through the test's own open.
func closed(t *testing.T, d Driver) {
	var s store.Store
	t.Run("while open", func(t *testing.T) { s = d.Open(t, store.Options{}) })
	if _, err := s.Append(ctx, []*events.Event{event("a.b", "1")}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("append: %v", err)
	}
}
