// Evrun turns events into work: see README.md, and "evrun --help".
package main

import (
	"os"

	"evrun/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
