package process

import (
	"fmt"
	"strings"
	"time"
)

// Limits bound a command. The processes that it starts inherit them, and each has its own count, but for Processes. The zero value has none.
type Limits struct {
	Memory    int64         // bytes of memory that a process can write to: its heap, not its shared files
	CPU       time.Duration // of a processor's time, in whole seconds; then SIGXCPU, and SIGKILL after the grace period
	Files     int           // open files and connections
	Processes int           // processes and threads of the command's user, those of other commands included
}

// String lists the limits: "memory 512MiB, files 256".
func (l Limits) String() string {
	var list []string
	add := func(name string, given bool, value any) {
		if given {
			list = append(list, fmt.Sprintf("%s %v", name, value))
		}
	}
	add("memory", l.Memory > 0, memory(l.Memory))
	add("cpu", l.CPU > 0, l.CPU)
	add("files", l.Files > 0, l.Files)
	add("processes", l.Processes > 0, l.Processes)
	return strings.Join(list, ", ")
}

// memory is a number of bytes in the largest unit that divides it.
type memory int64

func (m memory) String() string {
	for _, unit := range []struct {
		name  string
		bytes memory
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if m%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", m/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%dB", int64(m))
}
