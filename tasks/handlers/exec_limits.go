package handlers

import (
	"fmt"
	"time"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/process"
)

// limitKeys are the limits of a program.
type limitKeys struct {
	Memory    fields.Size   `key:"memory" min:"1MiB" max:"1024GiB" other:"mem,ram" doc:"How much memory a process may have to write to: 512MiB. Beyond it, it gets no more, and usually fails by itself. What it shares with others does not count."`
	CPU       time.Duration `key:"cpu" other:"cpu_time" doc:"How much time of a processor a process may use, in whole seconds: 60s. Then it gets SIGXCPU, and SIGKILL after kill_after."`
	Files     int           `key:"files" min:"4" max:"1048576" other:"nofile,open_files" doc:"How many files and connections a process may have open: 256."`
	Processes int           `key:"processes" min:"1" max:"4194304" other:"nproc,pids" doc:"How many processes and threads the program's user may have, those of other programs included: 64. Root has no such limit, so it needs a user of its own."`
}

// CheckFields refuses a part of a second, which the system would round.
func (k *limitKeys) CheckFields(_ map[string]any, at *fields.At) {
	if k.CPU%time.Second != 0 {
		at.Add(&fault.Fault{Path: []any{"cpu"}, Message: fmt.Sprintf("the system counts whole seconds, not %v", k.CPU), Hint: "write 1s or more"})
	}
}

func (k *limitKeys) limits() process.Limits {
	return process.Limits{Memory: int64(k.Memory), CPU: k.CPU, Files: k.Files, Processes: k.Processes}
}
