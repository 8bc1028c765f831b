package disk

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Holders names the other processes that read the WAL of the database at path: those with a lock on a read mark, where the system
// tells whose a lock is; else those that have the database open, as far as this user may see that. At most five.
func Holders(path string) []string {
	pids := readLocks(path + "-shm")
	if len(pids) == 0 {
		pids = openedBy(path)
	}
	slices.Sort(pids)
	var names []string
	for _, pid := range slices.Compact(pids) {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		names = append(names, strings.TrimSuffix(fmt.Sprintf("process %d (%s)", pid, bytes.TrimSpace(name)), " ()"))
	}
	return names[:min(len(names), 5)]
}

// The bytes of the -shm file whose locks are SQLite's read marks.
const firstReadMark, lastReadMark = 123, 127

// readLocks are the processes with a read mark. The locks of an evrun, which are of its open files, have no process.
func readLocks(shm string) (pids []int) {
	info, err := os.Stat(shm)
	if err != nil {
		return nil
	}
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return nil
	}
	defer f.Close()
	inode := ":" + strconv.FormatUint(sys.Ino, 10)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text()) // 1: POSIX ADVISORY READ 4711 08:01:131090 124 124
		if len(w) != 8 || w[3] != "READ" || !strings.HasSuffix(w[5], inode) {
			continue
		}
		first, err1 := strconv.Atoi(w[6])
		last, err2 := strconv.Atoi(w[7])
		pid, err3 := strconv.Atoi(w[4])
		if err1 == nil && err2 == nil && err3 == nil && first >= firstReadMark && last <= lastReadMark && pid > 0 && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// openedBy are the processes that have a file open.
func openedBy(path string) (pids []int) {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, d := range descriptors {
		pid, _ := strconv.Atoi(strings.Split(d, "/")[2])
		if other, err := os.Stat(d); err == nil && pid != os.Getpid() && os.SameFile(info, other) {
			pids = append(pids, pid)
		}
	}
	return pids
}
