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
// Between the start of a command and the moment when the watchdog knows its group, the command can have started others. So
// it is told before of a mark in the environment that the command is going to have, and looks for that, where there is a
// /proc. A group is removed right before its leader is reaped: until then, its number is nobody else's.
//
// Its zero value is ready: the process is started with the first command, and anew should it be killed.
type watchdog struct {
	mu       sync.Mutex
	starting map[string]int // how many commands, by mark
	groups   map[int]bool
	pipe     *os.File // nil: it doesn't run
	cmd      *exec.Cmd
}

// groups is the watchdog of this process: one does for all commands.
var groups watchdog

// watch is what it runs. Marks and numbers stand in a text each, with a space around every one. At the end it looks twice for
// marks, as a process that is just beginning another program shows none.
const watch = `# evrun: ends the commands that an evrun which was killed left behind
trap '' HUP INT QUIT TERM
groups=' ' starting=' '
echo ready
while read -r what mark group; do
  case $what in
  starting) starting="$starting$mark " ;;
  end) groups="${groups%% $group *} ${groups#* $group }" ;;
  *)
    case $starting in
    *" $mark "*) starting="${starting%% "$mark" *} ${starting#* "$mark" }" ;;
    esac ;;
  esac
  case $what in
  runs) groups="$groups$group " ;;
  esac
done
for group in $groups; do
  kill -s KILL -- "-$group"
done
for pass in 1 2; do
  for mark in $starting; do
    for environ in $(grep -lF -e "$mark" /proc/[0-9]*/environ); do
      read -r stat <"${environ%environ}stat" && set -- ${stat##*) } && kill -s KILL -- "-$3"
    done
  done
  case $pass$starting in
  1*=*) sleep 1 ;;
  esac
done
`

// expect tells of a command that is about to start, with this text in its environment; a mark has no white space. An error
// says that there is no watchdog: then nobody ends the command if we are killed.
func (w *watchdog) expect(mark string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.groups == nil {
		w.groups, w.starting = map[int]bool{}, map[string]int{}
	}
	w.starting[mark]++
	if w.tell("starting %s\n", mark) {
		return nil
	}
	return w.start()
}

// runs tells of its group, and that it didn't start when that is 0.
func (w *watchdog) runs(mark string, group int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.starting[mark]--; w.starting[mark] == 0 {
		delete(w.starting, mark)
	}
	told := false
	if group == 0 {
		told = w.tell("failed %s\n", mark)
	} else {
		w.groups[group] = true
		told = w.tell("runs %s %d\n", mark, group)
	}
	if !told {
		_ = w.start() // the next expect tries again, and reports
	}
}

// ends tells that a group is no more.
func (w *watchdog) ends(group int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.groups, group)
	if !w.tell("end - %d\n", group) && len(w.groups) > 0 {
		_ = w.start()
	}
}

// tell writes a line, and says whether it got there. A line is short enough for the pipe to take it whole or not at all.
func (w *watchdog) tell(format string, args ...any) bool {
	if w.pipe == nil {
		return false
	}
	_ = w.pipe.SetWriteDeadline(time.Now().Add(time.Second)) // it reads at once, unless somebody stopped it
	_, err := fmt.Fprintf(w.pipe, format, args...)
	return err == nil
}

// start starts the process, in place of one that may be there, and tells it all that we know.
func (w *watchdog) start() error {
	if w.pipe != nil {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
		_ = w.pipe.Close()
		w.pipe = nil
	}
	cmd := exec.Command("/bin/sh", "-c", watch, "evrun-watchdog")
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + defaultPath}
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
		fmt.Fprintf(&all, "runs - %d\n", group)
	}
	for mark, n := range w.starting {
		all.WriteString(strings.Repeat("starting "+mark+"\n", n))
	}
	if !w.tell("%s", all.String()) {
		return errors.New("watchdog: it ended as soon as it began")
	}
	return nil
}
