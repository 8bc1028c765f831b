package tasks

import (
	"evrun/tasks/fault"
	"evrun/tasks/rate"
)

// Rate limits how often attempts of a handler may begin.
type Rate = rate.Rate

// ParseRate reads a rate as the wiring file has it: 10/s, 100/m, 5/h, 1/d.
func ParseRate(s string) (Rate, *fault.Fault) { return rate.Parse(s) }
