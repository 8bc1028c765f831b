package tasks_test

import (
	"os"
	"testing"

	"evrun/store/postgres/postgrestest"
)

// onPostgres says that new stores are databases of a PostgreSQL server.
var onPostgres bool

// withPostgres stops the server after the tests.
type withPostgres struct{ *testing.M }

func (m withPostgres) Run() int {
	code := m.M.Run()
	postgrestest.End()
	return code
}

// What the runner promises holds on PostgreSQL as it does on SQLite: these tests run on both. Not among them: those in a synctest bubble, where time
// stands still while a server is asked (proofs_test.go has others in their place), and those that read SQLite's files or speak its dialect.
func TestTheProofsHoldOnPostgreSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("the same functions run on SQLite; package sharedtest is for the race detector")
	}
	postgrestest.Bin(t)
	onPostgres = true
	defer func() { onPostgres = false }()
	type proofs map[string]func(*testing.T)
	for _, about := range []struct {
		name         string
		always, long proofs
	}{
		{
			"order",
			proofs{
				"model": TestOrderFollowsTheModel, "beyond memory": TestKeysBeyondMemoryAreReadOnFromTheJournal, "restart": TestHeldKeysSurviveARestart,
				"one at a time": TestOneAtATimeKeepsTheOrder, "retries": TestEventsWithOneKeyRunInOrderAndRetriesHoldTheirKeyOnly,
			},
			proofs{
				"little room": TestOrderWithLittleRoomFollowsTheModel, "pool": TestThePoolKeepsTheOrderOfKeys, "many keys": TestManyKeysFindTheirTurn,
			},
		},
		{
			"kill",
			proofs{
				"restart": TestRestartGoesOnWhereItStopped, "interrupted": TestInterruptedAttemptIsTriedAgain, "dropped": TestDroppedRunIsNotHandledAgain,
				"claims": TestAKillDoesNotCountClaims, "claims and order": TestAfterAKillClaimsKeepTheOrder, "cancel": TestACancelSurvivesAKill,
				"stop at a turn": TestAnEventWhoseTurnComesAtAStopIsNotLost,
			},
			proofs{
				"claims withdrawn": TestAStopWithdrawsClaims, "output": TestAKilledAttemptLeavesWhatItHadPrinted, "stops": TestAttemptsThatAStopEndsDoNotCount,
			},
		},
		{
			"retry",
			proofs{
				"then dead": TestFailedAttemptsAreRetriedThenDead, "by hand": TestDeadRunIsRetriedWithItsKeyAndHistory, "races": TestNoRetryIsLostWhileRunsDieAgain,
				"many of a key": TestManyRetriedRunsOfOneKeyRunInOrder, "on_dead": TestOnDeadComesOnceAfterTheLastAttempt,
			},
			proofs{
				"permanent": TestPermanentErrorIsNotRetried, "before claims": TestARetryPassesClaims, "panics": TestPanicsAreCaughtWithTheirStack,
				"timeout": TestTimeoutEndsAnAttempt, "refused result": TestARunWhoseResultCannotBeStoredIsDead, "spread": TestRetriesOfRunsThatFailTogetherSpread,
				"cancels": TestRandomCancels,
			},
		},
		{
			"debounce",
			proofs{
				"together": TestWhatComesTogetherStaysTogether, "kills": TestKillsNeitherLoseNorDoubleAnEventOfABurst,
				"retries": TestAttemptsOfABurstSeeTheSameEventsInRealTime,
			},
			proofs{"no key": TestAnEventWithoutAKeyIsDeadAlone},
		},
		{
			"reload",
			proofs{
				"under load": TestEventsWhileTheWiringIsReplaced, "comes back": TestAHandlerGoesAndComesBack, "renamed under load": TestRenamingUnderLoadLosesAndRepeatsNothing,
				"renamed and waits": TestARenamedHandlerThatWaitsForTheOldOneMayBeReadAgain, "renamed keys": TestARenamedHandlerKeepsTheIdempotencyKeysOfItsRuns,
				"missing over a restart": TestAHandlerThatIsMissingOverOneRestartMissesNothing, "new": TestNewHandlerStartsAtTheHead,
			},
			proofs{
				"claims": TestAReplacedHandlerWithdrawsClaims, "renamed": TestARenamedHandlerGoesOnWhereItStopped,
				"gone for a moment": TestAHandlerThatIsGoneForAMomentMissesNothing, "dropped when gone": TestRunsOfAHandlerThatIsGoneCanBeDropped,
				"targeted": TestTargetedEventsFollowARenamedHandler, "pauses": TestPausesUnderFullLoad, "paused": TestAPausedHandlerBeginsNothing,
				"paused retries": TestRetriesOfAPausedHandlerWait,
			},
		},
		{
			"limits",
			proofs{
				"rate and retries": TestRateHoldsForRetriesInRealTime, "concurrency": TestConcurrencyIsBounded,
				"overflow": TestOverflowingHandlerMissesNothingAndRepeatsNothing,
			},
			proofs{"tokens": TestATokenIsNotMissed, "hops": TestLoopOfEventsEndsWithAReason},
		},
		{
			"inside",
			proofs{
				"once": TestInsideHandlerWritesOncePerEvent, "emits": TestEmittedEventIsHandledAndLinked, "conflict": TestConflictInsideIsDeadAtOnceAndLeavesNothing,
				"failed emit": TestAnEmitThatFailsBeforeTheTransactionLeavesNoEffect, "chain": TestFollowReportsTheWholeChain,
			},
			proofs{
				"condition": TestConditionSkips, "for each": TestForEachElementThereIsAnEvent, "many events": TestManyRunsWithManyEventsAreSettledInParts,
				"on_dead": TestOnDeadHasItsOwnBudget,
			},
		},
	} {
		t.Run(about.name, func(t *testing.T) {
			for name, proof := range about.always {
				t.Run(name, proof)
			}
			if os.Getenv("EVRUN_POSTGRES_PROOFS") != "all" {
				return
			}
			for name, proof := range about.long {
				t.Run(name, proof)
			}
		})
	}
}
