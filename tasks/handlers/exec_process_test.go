//go:build unix

package handlers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"evrun/tasks"
	"evrun/tasks/capture"
)

// lifeline is a pipe that a script and all its processes hold open as descriptor 9: the pipe ends when all of them have ended.
type lifeline struct {
	path string
	r    *bufio.Reader
}

// holdLifeline begins a script that holds the lifeline.
const holdLifeline = "exec 9>lifeline; "

func newLifeline(t *testing.T, dir string) *lifeline {
	t.Helper()
	l := &lifeline{path: filepath.Join(dir, "lifeline")}
	if err := unix.Mkfifo(l.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// line waits for the next line that the script writes.
func (l *lifeline) line(t *testing.T) string {
	t.Helper()
	if l.r == nil {
		f, err := os.Open(l.path) // waits for the script to open it
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		l.r = bufio.NewReader(f)
	}
	s, err := l.r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(s, "\n")
}

// end waits until no process holds it any more.
func (l *lifeline) end(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(l.r)
	if err != nil {
		t.Fatal(err)
	}
	return string(rest)
}

// attempt is a running script.
type attempt struct {
	*lifeline
	cancel context.CancelCauseFunc
	result any
	err    error
	done   chan struct{}
}

// begin runs a script in a new directory, and waits for the line "ready" on its lifeline.
func begin(t *testing.T, script string, inputs map[string]any) *attempt {
	t.Helper()
	dir := t.TempDir()
	a := &attempt{lifeline: newLifeline(t, dir), done: make(chan struct{})}
	inputs["shell"] = holdLifeline + script
	action := build[tasks.Outside](t, "exec", inputs, Deps{BaseDir: dir})
	var ctx context.Context
	ctx, a.cancel = context.WithCancelCause(t.Context())
	go func() {
		defer close(a.done)
		a.result, a.err = action.Do(ctx, delivery(`{}`))
	}()
	if line := a.line(t); line != "ready" {
		t.Fatal(line)
	}
	return a
}

func (a *attempt) stop() {
	a.cancel(errors.New("no answer within the timeout of 1s"))
	<-a.done
}

func TestAGroupThatIgnoresSIGTERMIsKilled(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	a := begin(t, `trap '' TERM; (trap '' TERM; echo ready >&9; while :; do sleep 1; done) & while :; do sleep 1; done`, with("kill_after", "100ms"))
	a.stop()
	if want := "no answer within the timeout of 1s: it was stopped (signal: killed)"; a.err == nil || a.err.Error() != want {
		t.Errorf("%v, want %s", a.err, want)
	}
	a.end(t)
}

func TestAGroupThatEndsAtSIGTERMIsNotWaitedFor(t *testing.T) {
	// The sleep begins before the trap: a child forked after it could take SIGTERM in the shell's own handler, and lose it.
	a := begin(t, `sleep 1000 & trap 'echo bye >&2; exit 3' TERM; echo ready >&9; wait`, with("kill_after", "1000h"))
	a.stop()
	if want := "no answer within the timeout of 1s: it was stopped (exit status 3): bye"; a.err == nil || a.err.Error() != want {
		t.Errorf("%v, want %s", a.err, want)
	}
	a.end(t)
}

func TestAStoppedCommandHasFailedWhateverItsExitCode(t *testing.T) {
	a := begin(t, `trap 'exit 0' TERM; echo ready >&9; while :; do sleep 1; done`, with("kill_after", "1000h"))
	a.stop()
	if want := "no answer within the timeout of 1s: it was stopped (exit status 0)"; a.err == nil || !strings.HasPrefix(a.err.Error(), want) || isPermanent(a.err) {
		t.Errorf("%v, want %s", a.err, want)
	}
}

// TestTheGraceIsForTheWholeGroup: a shell ends at once at SIGTERM, and its child has time to clean up.
func TestTheGraceIsForTheWholeGroup(t *testing.T) {
	a := begin(t, `sh -c 'trap "sleep 0.3; echo in order >&9; exit" TERM; echo ready >&9; while :; do sleep 1; done' & wait`, with("kill_after", "1000h"))
	a.stop()
	if rest := a.end(t); rest != "in order\n" {
		t.Errorf("the child left %q", rest)
	}
	if a.err == nil || !strings.Contains(a.err.Error(), "(signal: terminated)") {
		t.Error(a.err)
	}
}

// TestWhatACommandLeavesBehindIsKilled: the remaining processes hold the command's output open, which must not delay its end.
func TestWhatACommandLeavesBehindIsKilled(t *testing.T) {
	a := begin(t, `mkfifo ok; sh -c 'trap "" TERM; echo ready >&9; echo >ok; while :; do sleep 1; done' & read -r line <ok; echo hello`, with())
	<-a.done
	if a.err != nil || a.result != "hello" {
		t.Errorf("%v, %v", a.result, a.err)
	}
	a.end(t)

	a = begin(t, `mkfifo ok; sh -c 'echo ready >&9; echo >ok; while :; do sleep 1; done' >/dev/null 2>&1 & read -r line <ok; echo hello`, with())
	<-a.done
	if a.err != nil || a.result != "hello" {
		t.Errorf("%v, %v", a.result, a.err)
	}
	a.end(t)
}

// TestTheLastOutputOfAPipelineIsWaitedFor: processes that still write when the command has ended get a moment.
func TestTheLastOutputOfAPipelineIsWaitedFor(t *testing.T) {
	a := begin(t, `mkfifo ok; (echo ready >&9; echo >ok; sleep 0.1; echo late) & read -r line <ok; echo early`, with())
	<-a.done
	if a.err != nil || a.result != "early\nlate" {
		t.Errorf("%v, %v", a.result, a.err)
	}
}

func TestASessionOfItsOwnDoesNotHoldUpTheEnd(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("there is no setsid here")
	}
	a := begin(t, `mkfifo ok release; setsid sh -c 'echo ready >&9; echo >ok; read -r line <release; echo released >&9' & read -r line <ok; echo hello`, with())
	<-a.done
	if a.err != nil || a.result != "hello" {
		t.Errorf("%v, %v", a.result, a.err)
	}
	release, err := os.OpenFile(filepath.Join(filepath.Dir(a.path), "release"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	release.Close()
	if rest := a.end(t); rest != "released\n" {
		t.Errorf("it wrote %q", rest)
	}
}

// outputSize is how much the command of the next test writes.
func outputSize() string {
	if size := os.Getenv("EVRUN_TEST_OUTPUT"); size != "" {
		return size
	}
	return "2G"
}

func TestAHugeOutputFillsNoMemory(t *testing.T) {
	size := outputSize()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result, err := runExec(t, t.TempDir(), with("shell", `echo first; head -c "$SIZE" /dev/zero; echo; echo last; echo oh >&2`, "env", with("SIZE", size)), `{}`)
	runtime.ReadMemStats(&after)
	text, _ := result.(string)
	if err != nil || !strings.HasPrefix(text, "first\n") || !strings.HasSuffix(text, "\nlast") || !strings.Contains(text, "bytes left out") {
		t.Fatalf("%.100q, %v", text, err)
	}
	if len(text) > capture.Default+100 {
		t.Errorf("%d bytes were kept", len(text))
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes were allocated for %s of output", used, size)
	}
}

func TestOutputKeepsHeadAndTail(t *testing.T) {
	var all []byte
	for i := 0; len(all) < 3*capture.Default; i++ {
		all = fmt.Appendf(all, "line %d\n", i)
	}
	for _, size := range []int{0, 1, capture.Default/2 - 1, capture.Default / 2, capture.Default/2 + 1, capture.Default - 1, capture.Default, capture.Default + 1, capture.Default + 100, 2 * capture.Default, len(all)} {
		for _, chunk := range []int{7, 4096, 32 << 10, 100_000, len(all)} {
			o := capture.New(0, nil).Stream("stdout")
			for rest := all[:size]; len(rest) > 0; {
				n := min(chunk, len(rest))
				if wrote, err := o.Write(rest[:n]); wrote != n || err != nil {
					t.Fatal(wrote, err)
				}
				rest = rest[n:]
			}
			text := o.Text()
			if o.Total() != int64(size) || o.Whole() != (size <= capture.Default) {
				t.Errorf("%d bytes in pieces of %d: %d, whole: %v", size, chunk, o.Total(), o.Whole())
			}
			if o.Whole() {
				if text != string(all[:size]) {
					t.Errorf("%d bytes in pieces of %d are not what was written", size, chunk)
				}
				continue
			}
			head, tail, _ := strings.Cut(text, "[… ")
			note, tail, _ := strings.Cut(tail, " bytes left out …]\n")
			if !bytes.HasPrefix(all, []byte(head)) || !bytes.HasSuffix(all[:size], []byte(tail)) || !strings.HasSuffix(head, "\n") || !strings.HasPrefix(tail, "line ") ||
				note != fmt.Sprint(size-len(head)-len(tail)) || len(head) < capture.Default/2-20 || len(tail) < capture.Default/2-20 {
				t.Errorf("%d bytes in pieces of %d: %d, %s, %d", size, chunk, len(head), note, len(tail))
			}
		}
	}
}

func TestManyCommandsAtOnce(t *testing.T) {
	action := build[tasks.Outside](t, "exec", with("shell", "read -r line; sleep 1000 & echo $PPID"), Deps{BaseDir: t.TempDir()})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if result, err := action.Do(t.Context(), delivery(`{}`)); err != nil || result != fmt.Sprint(os.Getpid()) {
				t.Errorf("%v, %v", result, err)
			}
		})
	}
	wg.Wait()
}
