package tasks

// WithEvents is a result with events, which are accepted in the transaction that settles the run. Result is the handler's own result.
type WithEvents struct {
	Events []Draft
	Result any
}

// Draft is the part of an event that a kind or an Emission decides; the runner fills in the rest. Data is any value that marshals to JSON.
type Draft struct {
	Type    string
	Subject string
	Data    any
}
