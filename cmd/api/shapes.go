package api

import (
	"evrun/cmd/api/ingest"
	"evrun/cmd/api/shape"
)

// The JSON shapes, which are in package shape so that the parts of the server can use them. Package events writes events.
type (
	Activity      = shape.Activity
	Account       = shape.Account
	Attempt       = shape.Attempt
	Backfill      = shape.Backfill
	Backfilled    = shape.Backfilled
	BackupRequest = shape.BackupRequest
	BackupStep    = shape.BackupStep
	Batch         = shape.Batch
	BatchPreview  = shape.BatchPreview
	BatchRequest  = shape.BatchRequest
	Chain         = shape.Chain
	ChainEvent    = shape.ChainEvent
	ChainRun      = shape.ChainRun
	EditedRun     = shape.EditedRun
	End           = shape.End
	Forgotten     = shape.Forgotten
	ImportedUser  = shape.ImportedUser
	Link          = shape.Link
	LinkRequest   = shape.LinkRequest
	LogLine       = shape.LogLine
	Output        = shape.Output
	NewToken      = shape.NewToken
	PageInfo      = shape.PageInfo
	Paused        = shape.Paused
	PausedHandler = shape.PausedHandler
	Piece         = shape.Piece
	Problem       = shape.Problem
	ProblemWriter = shape.ProblemWriter
	Pruned        = shape.Pruned
	Reasons       = shape.Reasons
	Receipt       = shape.Receipt
	Reloaded      = shape.Reloaded
	ReplayRequest = shape.ReplayRequest
	Replayed      = shape.Replayed
	Resumed       = shape.Resumed
	RevokedToken  = shape.RevokedToken
	Run           = shape.Run
	RunDetails    = shape.RunDetails
	Schedule      = shape.Schedule
	Session       = shape.Session
	SignIn        = shape.SignIn
	Slot          = shape.Slot
	SlotRuns      = shape.SlotRuns
	Status        = shape.Status
	Stream        = shape.Stream
	Token         = shape.Token
	TokenRequest  = shape.TokenRequest
	Trouble       = shape.Trouble
	User          = shape.User
	WAL           = shape.WAL
	Port          = shape.Port
)

// LineDefaults are the attributes of lines that don't have them.
type LineDefaults = ingest.Defaults

// The constants of shapes.
const (
	BatchRunning = shape.BatchRunning
	BatchStopped = shape.BatchStopped
	BatchEnded   = shape.BatchEnded

	TroubleStopping = shape.TroubleStopping
	TroubleStore    = shape.TroubleStore
	TroubleReload   = shape.TroubleReload
	TroubleDead     = shape.TroubleDead
	TroubleFailing  = shape.TroubleFailing
	TroubleSilent   = shape.TroubleSilent
	TroubleLate     = shape.TroubleLate
	TroubleBehind   = shape.TroubleBehind
	TroublePaused   = shape.TroublePaused
	TroubleLeft     = shape.TroubleLeft
	TroubleMissed   = shape.TroubleMissed
	TroubleSpans    = shape.TroubleSpans
	TroubleLastSlot = shape.TroubleLastSlot
	TroubleTLS      = shape.TroubleTLS
	TroublePruning  = shape.TroublePruning

	MaxUpcoming = shape.MaxUpcoming
)

// listed is a list that JSON shows as one, also if it is empty.
func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
