// Package limit starts a program under limits of the kernel (rlimits), with no moment in which it runs without them.
//
// Go can't set the limits of a process that it starts: those of this process are shared by all of its commands, prlimit(2) comes after the
// program has begun, a shell need not exist and knows no two names for them, and a program that is traced from its start loses what a setuid bit
// gives it. So evrun starts itself, under the name [Name]. This package's init sees that name, sets the limits, and executes the program in
// place of itself. It imports little, so that it is initialized, and done, before the rest of evrun and most of Go's library.
//
// Any program that imports this package can be started so, the test of a package too.
package limit

// Name is the first argument of a process that is to set limits. The others are the limits, each as "RESOURCE=SOFT:HARD," with numbers such as that
// of RLIMIT_CPU, the path of the program, and the program's arguments from the first one on. If it can't become the program, it writes the number of
// the error, 4 bytes, little endian, to its descriptor [Report], which is closed otherwise, and exits.
const Name = "evrun-limit"

// Report is the descriptor for an error.
const Report = 3
