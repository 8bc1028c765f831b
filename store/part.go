package store

// Part is what one step of a search found. A search that looks at much is made of many steps, so that no query is long.
type Part[T any] struct {
	Items  []T // in the order of the search
	Looked int // the number of events, runs or users that were looked at, at most
	// Reached is the last sequence that was looked at: the next step begins after it, in the order of the search. Not with End. If the step ended at
	// its Limit, the next one begins after its last item instead: of a run, its event may have more.
	Reached int64
	// Passed is how many sequences the step went on, and Left how many are left after it. Both are 0 for a search that an index answers.
	Passed, Left int64
	End          bool // there is nothing more
}
