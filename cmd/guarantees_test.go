package cmd_test

import "testing"

// TestGuarantees has a subtest for each sentence that evrun promises its users, and below it the proofs of the sentence: each runs
// the real binary and looks at its store from outside. `go test -run TestGuarantees -v ./cmd` lists them all; to run one proof:
//
//	go test -run 'TestGuarantees/.*/a_killed_daemon' ./cmd
//
// The packages below test the same promises closer to the code: store/storetest for every store, tasks for the runner,
// tasks/schedule over years of simulated time.
func TestGuarantees(t *testing.T) {
	t.Parallel()
	type proof struct {
		name string
		run  func(*testing.T)
	}
	for _, guarantee := range []struct {
		sentence string
		proofs   []proof
	}{
		{"1 An acknowledgement follows the commit of the event's transaction to disk", []proof{
			{"a sync lies between an event's write and its acknowledgement", acknowledgedAfterTheSync},
		}},
		{"1 A killed daemon or a power cut loses nothing that was acknowledged", []proof{
			{"a killed daemon loses nothing and repeats nothing", killedDaemonLosesNothing},
			{"an I/O error ends the daemon and loses nothing", ioErrorLosesNothing},
			{"a full disk loses nothing", fullDiskLosesNothing},
		}},
		{"2 The same source and id again is answered with the first one's seq and runs nothing", []proof{
			{"an event that is sent again", eventSentAgain},
		}},
		{"3 Each matching handler runs at least once, in the journal's order where order_by or concurrency 1 says so", []proof{
			{"in order over kills", inOrderOverKills},
		}},
		{"3 A failing event never holds up the others", []proof{
			{"the events behind one that fails", failingEventHoldsUpNobody},
			{"a handler that hangs", hungHandlerHoldsUpNobody},
		}},
		{"3 Editing, renaming, removing or reloading never skips an accepted event silently", []proof{
			{"a handler that is renamed, removed and put back", editedHandlerSkipsNothing},
			{"included files that change under load", includedFilesChangeUnderLoad},
		}},
		{"4 The effect, the run's state and the events it emits commit in one transaction, or none of them do", []proof{
			{"a crash at every point", crashAtEveryPoint},
			{"a panic at every point", panicsAreOneRunsEnd},
			{"a for_each over kills", forEachOverKills},
		}},
		{"5 The attempt is recorded before it starts; every attempt has the same idempotency key", []proof{
			{"exec over kills", commandDiesWithItsDaemon},
			{"http over failures", requestKeepsItsKey},
			{"claims made ahead over kills", claimsAheadOverKills},
			{"a command that kills its daemon each time", commandThatKillsItsDaemon},
		}},
		{"6 After the last attempt a run is dead: listed, explained, retryable, and announced", []proof{
			{"a run that fails until somebody mends its cause", deadRunIsKept},
			{"many dead runs, over an interrupt and a kill", deadRunsAreRetriedOnce},
		}},
		{"6 An alert's own failure is announced once more, then logged", []proof{
			{"an alert that fails", failedAlertReachesItsFallback},
		}},
		{"6 A refused event is refused to the sender's face, with the reason", []proof{
			{"events that are refused", refusedEvents},
		}},
		{"7 A slot fires once, across restarts, clock steps and several daemons", []proof{
			{"a killed daemon with schedules", killedDaemonPublishesEachSlotOnce},
			{"a clock that is set back", clockSetBack},
			{"two daemons on one store", twoDaemonsStartedAtOnce},
		}},
		{"8 A slow or hostile handler, payload or reader slows nobody else", []proof{
			{"a reader that never ends", foreignReaderFillsNoDisk},
			{"many processes that emit", manyProcessesEmit},
		}},
		{"8 No user statement holds the writer for longer than 50 ms unless its handler asks for more", []proof{
			{"a statement without an end", endlessStatement},
		}},
		{"8 Memory stays bounded; the journal holds the backlog", []proof{
			{"a backlog", backlogCostsNoMemory},
		}},
	} {
		t.Run(guarantee.sentence, func(t *testing.T) {
			t.Parallel()
			for _, p := range guarantee.proofs {
				t.Run(p.name, p.run)
			}
		})
	}
}
