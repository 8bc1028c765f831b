package limit

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Rlimit is a limit of one resource of the kernel, such as [syscall.RLIMIT_CPU].
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

// Encode writes limits as an argument.
func Encode(limits []Rlimit) string {
	var b strings.Builder
	for _, l := range limits {
		b.WriteString(strconv.Itoa(l.Resource) + "=" + strconv.FormatUint(l.Soft, 10) + ":" + strconv.FormatUint(l.Hard, 10) + ",")
	}
	return b.String()
}

func init() {
	if len(os.Args) > 3 && os.Args[0] == Name {
		become(os.Args[1], os.Args[2], os.Args[3:])
	}
}

// become executes a program under limits. It does not return.
func become(limits, path string, args []string) {
	syscall.CloseOnExec(Report)
	err := set(limits)
	if err == nil {
		err = syscall.Exec(path, args, os.Environ())
	}
	number := syscall.EINVAL
	errors.As(err, &number)
	_, _ = syscall.Write(Report, binary.LittleEndian.AppendUint32(nil, uint32(number)))
	os.Exit(1)
}

// set sets the limits. One that was lower before stays so.
func set(limits string) error {
	for l := range strings.SplitSeq(strings.TrimSuffix(limits, ","), ",") {
		name, values, _ := strings.Cut(l, "=")
		soft, hard, _ := strings.Cut(values, ":")
		resource, err1 := strconv.Atoi(name)
		cur, err2 := strconv.ParseUint(soft, 10, 64)
		most, err3 := strconv.ParseUint(hard, 10, 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		var before syscall.Rlimit
		if err := syscall.Getrlimit(resource, &before); err != nil {
			return err
		}
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: min(cur, before.Max), Max: min(most, before.Max)}); err != nil {
			return err
		}
	}
	return nil
}
