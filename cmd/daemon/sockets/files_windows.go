package sockets

// openFiles is how many files this process may have open. Nothing bounds it here.
func openFiles() int { return 0 }
