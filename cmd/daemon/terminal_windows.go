package daemon

// hasTerminal is false: a console that closes ends its programs with what Go gives as SIGTERM.
func hasTerminal() bool { return false }
