package expression

import "math/bits"

// nameSet is a set of the names that expressions may use.
type nameSet uint32

const (
	nameEvent nameSet = 1 << iota
	nameData
	nameEvents
	nameResult
	nameSlot
	namePrevious
	nameError
	nameAttempts
	nameHandler
	nameRunID
	nameEnv
	nameFile
	nameRun
	nameItem
	nameIndex
	nameNow
	nameUUID
	nameBody
	nameRaw
	nameMethod
	nameName
	nameHeader
	nameQuery

	nameFailure   = nameError | nameAttempts | nameHandler | nameRunID
	nameSources   = nameEnv | nameFile
	nameStable    = nameNow | nameUUID
	nameParts     = nameHeader | nameQuery
	nameRequest   = nameBody | nameRaw | nameMethod | nameName | nameParts
	nameFunctions = nameSources | nameStable | nameParts
	nameAttempt   = nameEvent | nameData | nameRun | nameSources | nameStable
)

// texts has the names in the order of their bits.
var texts = [...]string{"event", "data", "events", "result", "slot", "previous", "error", "attempts", "handler", "run_id", "env", "file", "run", "item", "index",
	"now", "uuid", "body", "raw", "method", "name", "header", "query"}

// String gives the name of a set of one.
func (n nameSet) String() string { return texts[bits.TrailingZeros32(uint32(n))] }

// nameOf returns the set of one of our names; 0 for any other name.
func nameOf(s string) nameSet {
	for _, n := range allNames {
		if n.String() == s {
			return n
		}
	}
	return 0
}
