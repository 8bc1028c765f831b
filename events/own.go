package events

import (
	"slices"
	"strings"
)

// ReservedPrefix begins the types of evrun's own events, which nobody else may publish.
const ReservedPrefix = "evrun."

// The types of evrun's own events.
const (
	TypeStarted        = "evrun.started"
	TypeRunDead        = "evrun.run.dead"
	TypeScheduleMissed = "evrun.schedule.missed"
	TypeHandlerLeft    = "evrun.handler.left"
	TypeHandlerPaused  = "evrun.handler.paused"
	TypeHandlerSkipped = "evrun.handler.skipped"
	TypeConfigReloaded = "evrun.config.reloaded"
	TypeConfigRejected = "evrun.config.rejected"
)

// AuditPrefix begins the types of the events that record who did what: see package tasks/audit.
const AuditPrefix = "evrun.audit."

// The types under [AuditPrefix].
const (
	TypeAuditRunRetried         = "evrun.audit.run.retried"
	TypeAuditRunEdited          = "evrun.audit.run.edited"
	TypeAuditRunCancelled       = "evrun.audit.run.cancelled"
	TypeAuditRunDropped         = "evrun.audit.run.dropped"
	TypeAuditEventsReplayed     = "evrun.audit.events.replayed"
	TypeAuditBatchStarted       = "evrun.audit.batch.started"
	TypeAuditBatchEnded         = "evrun.audit.batch.ended"
	TypeAuditEventsPruned       = "evrun.audit.events.pruned"
	TypeAuditHandlerPaused      = "evrun.audit.handler.paused"
	TypeAuditHandlerResumed     = "evrun.audit.handler.resumed"
	TypeAuditHandlerForgotten   = "evrun.audit.handler.forgotten"
	TypeAuditScheduleFired      = "evrun.audit.schedule.fired"
	TypeAuditScheduleBackfilled = "evrun.audit.schedule.backfilled"
	TypeAuditSchedulePaused     = "evrun.audit.schedule.paused"
	TypeAuditScheduleResumed    = "evrun.audit.schedule.resumed"
	TypeAuditWiringReloaded     = "evrun.audit.wiring.reloaded"
	TypeAuditUsersImported      = "evrun.audit.users.imported"
	TypeAuditStoreRestored      = "evrun.audit.store.restored"
	TypeAuditTokenCreated       = "evrun.audit.token.created"
	TypeAuditTokenRevoked       = "evrun.audit.token.revoked"
)

// OwnType is a type of event that evrun itself publishes.
type OwnType struct {
	Type string
	Doc  string // when it is published
	Data []Member
}

var ownTypes = []OwnType{
	{TypeStarted, "evrun was started; says whether the machine was, too. Only where a handler is wired to evrun's own events.", dataOfStarted},
	{TypeRunDead, "A run failed for the last time.", dataOfRunDead},
	{TypeScheduleMissed, "Slots of a schedule were left out.", dataOfMissed},
	{TypeHandlerLeft, "A handler left the wiring file while events or runs were waiting for it; says how many.", dataOfUnfinished},
	{TypeHandlerPaused, "A handler returned to the wiring file after more than an hour, and waits for `evrun handlers resume`.", dataOfReturned},
	{TypeHandlerSkipped, "Events and runs that waited for a handler were left out, by `evrun handlers resume --from now` or `forget`; says how many.", dataOfSkipped},
	{TypeConfigReloaded, "The wiring file was read again, and what it says has taken effect.", dataOfReloaded},
	{TypeConfigRejected, "The wiring file was read again, and refused; the wiring is unchanged.", dataOfRejected},
	{TypeAuditRunRetried, "Somebody made runs due again.", dataOfRun},
	{TypeAuditRunEdited, "Somebody ran a handler again with changed data.", dataOfEdited},
	{TypeAuditRunCancelled, "Somebody cancelled runs.", dataOfRun},
	{TypeAuditRunDropped, "Somebody gave runs up.", dataOfRun},
	{TypeAuditEventsReplayed, "Somebody ran recorded events through a handler again.", dataOfReplayed},
	{TypeAuditEventsPruned, "Somebody deleted what the settings of retention do not keep; says how much.", dataOfPruned},
	{TypeAuditBatchStarted, "Somebody started an action on a selection, or continued a stopped one; says which.", dataOfBatchStart},
	{TypeAuditBatchEnded, "An action on a selection has ended; says how many runs or events it changed.", dataOfBatchEnd},
	{TypeAuditHandlerPaused, "Somebody paused a handler.", dataOfHandlerHeld},
	{TypeAuditHandlerResumed, "Somebody let a paused handler continue.", dataOfHandlerSkip},
	{TypeAuditHandlerForgotten, "Somebody deleted the position of a handler that had left, and its runs.", dataOfHandlerSkip},
	{TypeAuditScheduleFired, "Somebody published an extra event of a schedule.", dataOfFired},
	{TypeAuditScheduleBackfilled, "Somebody published the events of past slots of a schedule.", dataOfBackfilled},
	{TypeAuditSchedulePaused, "Somebody paused a schedule.", dataOfSchedule},
	{TypeAuditScheduleResumed, "Somebody let a paused schedule continue.", dataOfSchedule},
	{TypeAuditWiringReloaded, "Somebody had the wiring file read again, and it has taken effect.", dataOfRead},
	{TypeAuditUsersImported, "Somebody imported users; says how many.", dataOfImported},
	{TypeAuditStoreRestored, "Somebody put a backup in the store's place; says what is lost. It is the first event after the backup's.", dataOfRestored},
	{TypeAuditTokenCreated, "Somebody made a token; says what it allows.", dataOfTokenMade},
	{TypeAuditTokenRevoked, "Somebody revoked a token.", dataOfToken},
}

// OwnTypes lists all types under [ReservedPrefix]. The caller must not change the list.
func OwnTypes() []OwnType { return ownTypes }

// Reserved reports whether a type begins with [ReservedPrefix], whether or not evrun has an event of this type.
func Reserved(typ string) bool { return strings.HasPrefix(typ, ReservedPrefix) }

// Own reports whether a type is one of [OwnTypes].
func Own(typ string) bool {
	return slices.ContainsFunc(ownTypes, func(t OwnType) bool { return t.Type == typ })
}

// Hopeless reports whether no event can ever match the pattern: it begins with [ReservedPrefix] and matches none of [OwnTypes].
func (p Pattern) Hopeless() bool {
	return Reserved(p.text) && !slices.ContainsFunc(ownTypes, func(t OwnType) bool { return p.Match(t.Type) })
}
