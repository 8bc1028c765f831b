// Package tasks runs handlers on the journal's events.
//
// An [emitter.Emitter] checks, stamps and appends events. A [Runner] has a worker for each [Handler]: it takes the events that match, makes attempts with the
// handler's [Action], retries what fails, and settles each run in the store. What it promises:
//
//   - At least once. Each event that matches a handler gets a run, also after a kill, a reload or a change of the handler.
//   - Exactly once inside. What an [Inside] writes, the run's state and the events that it emits commit together, or none of them do.
//   - Recorded before it begins. The store knows of an attempt of an [Outside] before its Do is called. Without OrderBy, Debounce and Rate, first
//     attempts are recorded ahead, while others run: as many as Concurrency, up to 512 of quick ones. A kill doesn't count those, because they may not
//     have begun.
//   - Order. Runs of a handler with a Concurrency of 1, and those of an [Inside] or a [Computed], begin in the journal's order; those of one key
//     of OrderBy run one after the other. An event that waits for a retry delays no other, except with OrderBy those of its key.
//   - Nobody waits for a slow handler. Workers share nothing, and hold a bounded part of the journal in memory.
//
// Limits: one Runner a store. An effect runs in the store's write transaction, so it must not block.
//
//	em := emitter.New(s, 0)
//	r := tasks.NewRunner(tasks.Options{Store: s, Bus: bus, Emitter: em, Handlers: handlers, Log: log})
//	go r.Run(ctx)
//	<-r.Ready()
//	receipts, err := em.Emit(ctx, &events.Event{Type: "user.registered", Source: "/shop", Data: data})
package tasks
