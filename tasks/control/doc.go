// Package control is what people see and do about handlers and their runs: the state of each handler and what waits for it, resuming and forgetting
// handlers, retrying, cancelling and dropping runs.
//
// Everything is read from the store and written to it, so that it is the same with and without a daemon. A [evrun/tasks.Runner] adds what only its
// workers know, as [Live], and tells them what has changed; [evrun/tasks.Stored] adds nothing. The server calls [Runs]. No goroutines.
package control
