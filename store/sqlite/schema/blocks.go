package schema

import (
	"strconv"

	"evrun/store"
)

// The table blocks says in which blocks of the journal something occurs, so that lists of what is rare need not look at all of it, while no row of
// events or runs is indexed by type, source, handler or state. It is written when something is first seen in a block, and never corrected: a block may
// be named in vain. It is exact the other way round: where a block is not named, there is nothing.

// BlockShift makes the number of a block of a sequence: a block has 1,024 sequences.
const BlockShift = 10

// The keys of the table blocks. Of a block with very many types or sources, only the first ones are noted, and then the key of any.
const (
	AnyType   = "t:"
	AnySource = "s:"
)

// TypeKey is the key of the events of a type.
func TypeKey(typ string) string { return AnyType + typ }

// SourceKey is the key of the events of a source.
func SourceKey(source string) string { return AnySource + source }

// RunKey is the key of the runs of a handler that have succeeded, were skipped, or were begun in another state.
func RunKey(handler int64, state store.RunState) string {
	return "r:" + strconv.FormatInt(handler, 10) + ":" + strconv.Itoa(int(RunBucket(state)))
}

// RunBucket is the state that the key of a run has: the states in which most runs end, and 0 for all others, which an index has (runs_listed).
func RunBucket(state store.RunState) store.RunState {
	if state == store.Succeeded || state == store.Skipped {
		return state
	}
	return 0
}
