package postgrestest

import (
	"os"
	"syscall"
)

var interrupt, quit = os.Interrupt, os.Kill

func withoutRights() (*syscall.SysProcAttr, error) { return nil, nil }
