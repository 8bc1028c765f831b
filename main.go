// Evrun turns events into work: see README.md, and "evrun --help".
package main

import (
	_ "embed"
	"os"
	_ "time/tzdata" // zones work where the machine has none, as in most containers

	"evrun/cmd"
)

//go:embed config.example.yaml
var demo []byte

func main() { os.Exit(cmd.Main(demo, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
