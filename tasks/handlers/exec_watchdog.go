package handlers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// watchdog kills the process groups of the commands that run when this process dies, in whatever way. It is a small shell
// process that knows the groups' numbers and waits on a pipe that only we can write to: when we are gone, it sees the end of
// it. It has a session of its own, so that no signal for us or our terminal reaches it, and ends with us.
//
// A group is added right after its leader was started and removed right before it is reaped, so its number is nobody else's.
// Its zero value is ready: the process is started with the first group, and anew should it be killed.
type watchdog struct {
	mu     sync.Mutex
	groups map[int]bool
	pipe   *os.File // nil: it doesn't run
	cmd    *exec.Cmd
}

// groups is the watchdog of this process: one does for all commands.
var groups watchdog

// watch is what it runs. The numbers stand in one text with a space around each.
const watch = `# evrun: ends the commands that an evrun which was killed left behind
trap '' HUP INT QUIT TERM
groups=' '
echo ready
while read -r what group; do
  case $what in
  +) groups="$groups$group " ;;
  -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do
  kill -s KILL -- "-$group"
done
`

// add has the group killed if we die. An error says that there is no watchdog: then nobody does.
func (w *watchdog) add(group int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pipe != nil && w.tell("+ %d\n", group) {
		w.groups[group] = true
		return nil
	}
	if w.groups == nil {
		w.groups = map[int]bool{}
	}
	w.groups[group] = true
	return w.start()
}

// remove takes back an add.
func (w *watchdog) remove(group int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.groups, group)
	if w.pipe != nil && !w.tell("- %d\n", group) && len(w.groups) > 0 {
		_ = w.start() // the next add tries again, and tells
	}
}

// tell writes a line, and says whether it got there. A line is short enough for the pipe to take it whole or not at all.
func (w *watchdog) tell(format string, args ...any) bool {
	_ = w.pipe.SetWriteDeadline(time.Now().Add(time.Second)) // it reads at once, unless somebody stopped it
	_, err := fmt.Fprintf(w.pipe, format, args...)
	return err == nil
}

// start starts the process, in place of one that may be there, and tells it all groups.
func (w *watchdog) start() error {
	if w.pipe != nil {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
		_ = w.pipe.Close()
		w.pipe = nil
	}
	cmd := exec.Command("/bin/sh", "-c", watch, "evrun-watchdog")
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	defer ready.Close()
	r, p, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	defer r.Close()
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		_ = p.Close()
		return fmt.Errorf("watchdog: %w", err)
	}
	w.cmd, w.pipe = cmd, p
	// From its answer on no signal but SIGKILL ends it.
	if _, err := ready.Read(make([]byte, len("ready\n"))); err != nil {
		return fmt.Errorf("watchdog: it ended as soon as it began: %w", err)
	}
	var all strings.Builder
	for group := range w.groups {
		fmt.Fprintf(&all, "+ %d\n", group)
	}
	if !w.tell("%s", all.String()) {
		return errors.New("watchdog: it ended as soon as it began")
	}
	return nil
}
