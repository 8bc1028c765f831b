package limit

import (
	"runtime"
	"syscall"
	"unsafe"
)

func init() {
	if args := arguments(); len(args) > 3 {
		become(args[1], args[2], args[3:])
	}
}

// arguments returns the arguments of a process that is to set limits, each with its NUL; nil for any other process.
func arguments() (list [][]byte) {
	fd, err := syscall.Open("/proc/self/cmdline", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	const begin = Name + "\x00"
	text := make([]byte, 512)
	for n := 0; ; {
		more, err := syscall.Read(fd, text[n:])
		if err == syscall.EINTR {
			continue
		}
		if n += max(more, 0); err != nil || n < len(begin) || string(text[:len(begin)]) != begin {
			return nil
		}
		if more == 0 {
			text = text[:n]
			break
		}
		if n == len(text) {
			text = append(text, make([]byte, n)...)
		}
	}
	from := 0
	for i, c := range text {
		if c == 0 {
			list = append(list, text[from:i+1])
			from = i + 1
		}
	}
	return list
}

// rlimit is a limit of one resource of the kernel.
type rlimit struct {
	resource uintptr
	syscall.Rlimit
}

// become executes a program under limits. It does not return.
//
// Under the limits Go may neither allocate nor start a thread, which counts as a process: where it can't, it ends the process. So all that the program
// is given is made before, one processor leaves Go no reason for another thread, and the system calls are made past its scheduler.
func become(limits, path []byte, args [][]byte) {
	syscall.CloseOnExec(Report)
	// Go has raised the soft limit of open files for itself. Exec sets it back, also where it fails, as this one does.
	_ = syscall.Exec("", nil, nil)
	list, err := parse(limits)
	env, envErr := syscall.SlicePtrFromStrings(syscall.Environ())
	if err == nil && envErr != nil {
		err = envErr
	}
	argv := make([]*byte, len(args)+1)
	for i, arg := range args {
		argv[i] = &arg[0]
	}
	number := syscall.EINVAL
	if err == nil {
		runtime.GOMAXPROCS(1)
		number = execute(list, &path[0], &argv[0], &env[0])
	}
	report := [4]byte{byte(number), byte(number >> 8), byte(number >> 16), byte(number >> 24)}
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, Report, uintptr(unsafe.Pointer(&report[0])), uintptr(len(report)))
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
	}
}

// execute sets the limits and executes the program. It returns why it can't.
func execute(limits []rlimit, path *byte, argv, env **byte) syscall.Errno {
	for i := range limits {
		l := &limits[i]
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, l.resource, uintptr(unsafe.Pointer(&l.Rlimit)), 0, 0, 0); errno != 0 {
			return errno
		}
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(argv)), uintptr(unsafe.Pointer(env)))
	return errno
}

// parse reads limits. One that was lower before stays so.
func parse(text []byte) (list []rlimit, err error) {
	var numbers []uint64
	n, digits := uint64(0), 0
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			n, digits = 10*n+uint64(c-'0'), digits+1
		case digits > 0:
			numbers, n, digits = append(numbers, n), 0, 0
		}
	}
	if len(numbers)%3 != 0 {
		return nil, syscall.EINVAL
	}
	for ; len(numbers) > 0; numbers = numbers[3:] {
		l := rlimit{resource: uintptr(numbers[0])}
		if err := syscall.Getrlimit(int(l.resource), &l.Rlimit); err != nil {
			return nil, err
		}
		l.Cur, l.Max = min(numbers[1], l.Max), min(numbers[2], l.Max)
		list = append(list, l)
	}
	return list, nil
}
