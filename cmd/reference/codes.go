package reference

import (
	"strconv"

	"evrun/cmd/cli"
)

// more says what the short text of the help leaves open.
var more = map[int]string{
	cli.ExitFailed:      "The reason is on stderr. Of an action on a selection: it has not done all of it.",
	cli.ExitUsage:       "A flag, an argument or an event is wrong, or its data breaks the schema of its type. Nothing was done.",
	cli.ExitRefused:     "Of `emit --ndjson`, `emit --csv` and `users import`: each refused line is named, and `--rejects FILE` has them.",
	cli.ExitNoHandler:   "With `--wait` the event was accepted all the same.",
	cli.ExitNoDaemon:    "The command needs one: start it with `evrun serve`. Or you may not use its socket.",
	cli.ExitTryAgain:    "The disk or the log is full, evrun is stopping, or another daemon has the store, or its database does not answer.",
	cli.ExitConfig:      "All errors are printed, each with its line and a hint. Nothing was opened.",
	cli.ExitTimeout:     "The event was accepted, and its runs go on.",
	cli.ExitInterrupted: "Ctrl-C or SIGTERM ended a command, or a second one ended the daemon at once. A daemon that stops after the first one exits with 0.",
}

// exitCodes is the page of the exit codes.
func exitCodes(Sources) (string, error) {
	var p page
	p.heading(1, "Exit codes")
	p.line("The status with which every command ends, for scripts and supervisors. They follow `sysexits.h` and the habits of shells where these have a code.\n")
	var rows [][]string
	for _, c := range cli.ExitCodes {
		rows = append(rows, []string{strconv.Itoa(c.Code), c.Doc, more[c.Code]})
	}
	p.table([]string{"code", "meaning", "more"}, rows)
	p.line("\nA handler's own program may end with any code: `permanent_exit_codes` of the kind [exec](kinds.md#exec) says after which ones it is not tried again.")
	return p.String(), nil
}
