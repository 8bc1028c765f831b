package cmd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
)

// runTTY is the program tty of scripts: tty [-fit] COLUMNS COMMAND... runs a command on a terminal with so many columns and prints what the terminal
// got, with its exit code. With -fit it fails with 99 if a line is wider than the terminal.
func runTTY() {
	args, fit := os.Args[1:], false
	if len(args) > 0 && args[0] == "-fit" {
		args, fit = args[1:], true
	}
	columns, err := strconv.ParseUint(args[0], 10, 16)
	if err != nil {
		panic(err)
	}
	c := exec.Command(args[1], args[2:]...)
	c.Env = append(os.Environ(), "TERM=xterm-256color")
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: 50, Cols: uint16(columns)})
	if err != nil {
		panic(err)
	}
	text, _ := io.ReadAll(terminal) // Linux ends it with EIO
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	_, _ = os.Stdout.Write(text)
	err = c.Wait()
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(sgr.ReplaceAllString(line, ""), "\n")
		if n := runewidth.StringWidth(line); fit && n > int(columns) {
			fmt.Fprintf(os.Stderr, "a line has %d cells: %s\n", n, line)
			os.Exit(99)
		}
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		os.Exit(ended.ExitCode())
	}
}

// sgr are the sequences that colour text.
var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")
