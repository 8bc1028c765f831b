package tasks

// Emitted is a result that carries events: a kind that returns one has them accepted in the transaction that settles the
// run. Result is what is left of it as the handler's result.
type Emitted struct {
	Events []EmittedEvent
	Result any
}

// EmittedEvent is what a kind says of an event; the runner stamps the rest. Data is anything that marshals to JSON.
type EmittedEvent struct {
	Type    string
	Subject string
	Data    any
}
