package tasks

import "sync"

// helper is a goroutine that does one job after the other for a worker. It begins with the first job, and keeps its stack: a transaction of SQLite's
// needs a large one, and to grow a new one took a tenth of a short transaction. Its methods belong to the worker's goroutine.
type helper struct {
	jobs chan func()
	wg   sync.WaitGroup
}

// do hands over a job; all jobs before it must have reported their ends to the worker.
func (h *helper) do(job func()) {
	if h.jobs == nil {
		h.jobs = make(chan func(), 1)
		h.wg.Go(func() {
			for job := range h.jobs {
				job()
			}
		})
	}
	h.jobs <- job
}

// close ends the goroutine after its last job, and waits for that unless the job was abandoned.
func (h *helper) close(abandoned bool) {
	if h.jobs == nil {
		return
	}
	close(h.jobs)
	if !abandoned {
		h.wg.Wait()
	}
}
