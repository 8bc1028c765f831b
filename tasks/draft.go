package tasks

// WithEvents is a result that carries events: a kind that returns one has them accepted in the transaction that settles the
// run. Result is the handler's result beside them.
type WithEvents struct {
	Events []Draft
	Result any
}

// Draft is an event before the runner has stamped it: the part that a kind, or an Emission, decides. Data is anything that marshals to JSON.
type Draft struct {
	Type    string
	Subject string
	Data    any
}
