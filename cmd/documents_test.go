package cmd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestDocuments runs the commands that README.md and .github/docs show, on a terminal of 120 columns, and compares their output.
//
// Blocks are written for readers, with three rules:
//
//   - A block of `console` is a terminal. A line that begins with "$ " is a command, what follows is its output. A line "…" stands for any lines.
//     Times, durations, ids and directories may differ: see [alike].
//   - A block whose language is followed by a name, as in ```yaml evrun.yaml, is that file; one that begins with #! can be run.
//   - Each document begins in an empty directory. The comment <!-- a new directory --> changes to a new one.
//
// "evrun serve" and "evrun tail" go on beside the commands after them, as in a terminal of their own, until the directory ends or the same command
// is given again. With -update, the outputs of a document are written anew if one of them differs.
func TestDocuments(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("```console")) {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			d := &documentRun{t: t, file: file, columns: 120}
			defer d.leave()
			renewed := d.run(string(text))
			if *update && d.differs { // all outputs are of one run, then
				if err := os.WriteFile(file, []byte(renewed), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// documentRun runs the blocks of a document, one after the other.
type documentRun struct {
	t       *testing.T
	file    string
	columns uint16 // of the terminals
	differs bool   // an output is not the expected one
	dir     string
	beside  map[string]*besideRun // by their commands
}

// run runs all blocks, and returns the document with the actual outputs.
func (d *documentRun) run(text string) string {
	var renewed strings.Builder
	for _, p := range passages(d.t, text) {
		switch {
		case p.block:
			got := d.block(p)
			if !*update {
				got = p.text
			}
			renewed.WriteString(p.open + got + p.end)
			continue
		case strings.HasPrefix(p.text, "<!-- a new directory -->"):
			d.leave()
		}
		renewed.WriteString(p.text)
	}
	return renewed.String()
}

// block runs a block or writes its file, and returns its text with the actual outputs.
func (d *documentRun) block(p passage) string {
	if d.dir == "" {
		d.dir, d.beside = shortDir(d.t), map[string]*besideRun{}
	}
	switch {
	case p.lang == "console":
		return d.console(p.line, p.text)
	case p.name != "":
		writeBlock(d.t, d.dir, p.name, p.text)
	}
	return p.text
}

// shortDir is a directory whose path has as many letters as that in the documents, /srv/evrun, where /tmp is writable: what a table has room for
// depends on it.
func shortDir(t *testing.T) string {
	for range 100 {
		dir := fmt.Sprintf("/tmp/e%04x", rand.IntN(1<<16))
		switch err := os.Mkdir(dir, 0o700); {
		case err == nil:
			t.Cleanup(func() {
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			})
			return dir
		case !errors.Is(err, fs.ErrExist):
			return t.TempDir()
		}
	}
	return t.TempDir()
}

// console runs the commands of a block, and returns the block with their outputs.
func (d *documentRun) console(line int, text string) string {
	var renewed strings.Builder
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); {
		command, ok := strings.CutPrefix(strings.TrimSuffix(lines[i], "\n"), "$ ")
		if !ok {
			if lines[i] != "" {
				d.t.Fatalf("%s:%d: output before a command", d.file, line+1+i)
			}
			break
		}
		renewed.WriteString(lines[i])
		at := line + 1 + i
		for i++; strings.HasSuffix(command, "\\"); i++ { // it goes on
			command += "\n" + strings.TrimSuffix(lines[i], "\n")
			renewed.WriteString(lines[i])
		}
		from := i
		for i < len(lines) && !strings.HasPrefix(lines[i], "$ ") {
			i++
		}
		want := strings.Join(lines[from:i], "")
		got, same := d.command(command, want)
		d.differs = d.differs || !same
		if !same && !*update {
			d.t.Errorf("%s:%d: $ %s\n-- the document says\n%s-- it was\n%s", d.file, at, command, want, got)
		}
		if same && strings.Contains("\n"+want, "\n…\n") {
			got = want
		}
		renewed.WriteString(strings.ReplaceAll(got, d.dir, "/srv/evrun"))
	}
	return renewed.String()
}

// command runs a command. It returns its output, and whether that is the expected one.
func (d *documentRun) command(command, want string) (got string, same bool) {
	if staysBeside.MatchString(command) {
		if before := d.beside[command]; before != nil {
			before.stop()
		}
		b := d.start(command)
		d.beside[command] = b
		for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
			if got = b.text(); got != "" && d.alike(want, got) {
				return got, true
			}
			if time.Now().After(deadline) || *update && time.Since(b.begun) > 6*time.Second {
				return got, false
			}
		}
	}
	b := d.start(command)
	select {
	case <-b.done:
	case <-time.After(patience):
		d.t.Errorf("%s: $ %s: it does not end", d.file, command)
		b.stop()
	}
	got = b.text()
	return got, d.alike(want, got) || strings.Contains(command, "--wait") && d.alikeInAnyOrder(want, got)
}

var staysBeside = regexp.MustCompile(`^evrun (-c \S+ )?(serve|tail\b[^|]*$)`)

// besideRun is a command on a terminal of its own.
type besideRun struct {
	command  *exec.Cmd
	terminal *os.File
	begun    time.Time
	done     chan struct{} // closed when the command has ended and all of its output is there

	mu     sync.Mutex
	output bytes.Buffer
}

func (d *documentRun) start(command string) *besideRun {
	c := exec.Command("sh", "-c", command)
	if staysBeside.MatchString(command) {
		c.Args[2] = "exec " + command
	}
	c.Dir = d.dir
	c.Env = append(os.Environ(), "TERM=xterm", "TZ=UTC", "HOME="+d.dir, "PS1=")
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Rows: 50, Cols: d.columns})
	if err != nil {
		unable(d.t, "terminals", err)
	}
	b := &besideRun{command: c, terminal: terminal, begun: time.Now(), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		_, _ = io.Copy(b, terminal) // Linux ends it with EIO
		_ = c.Wait()
	}()
	return b
}

func (b *besideRun) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.output.Write(p)
}

// text is what stands on the terminal, without its colours.
func (b *besideRun) text() string {
	var lines strings.Builder
	for line := range strings.Lines(b.painted()) {
		lines.WriteString(strings.TrimRight(controls.ReplaceAllString(line, ""), " \n") + "\n")
	}
	return lines.String()
}

// painted is what stands on the terminal: of a line that was written over, the last text.
func (b *besideRun) painted() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(b.output.String(), "\r\n", "\n")) {
		lines.WriteString(line[strings.LastIndexByte(line, '\r')+1:])
	}
	return lines.String()
}

// controls are the sequences that move a cursor, or paint.
var controls = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

func (b *besideRun) stop() {
	_ = b.command.Process.Signal(syscall.SIGTERM)
	<-b.done
	b.terminal.Close()
}

// leave stops what goes on in the directory.
func (d *documentRun) leave() {
	for _, b := range d.beside {
		b.stop()
	}
	d.dir, d.beside = "", nil
}

// alike compares an output with the expected one, apart from what is never the same twice.
func (d *documentRun) alike(want, got string) bool {
	return likeLines(d.lines(want), d.lines(got))
}

// alikeInAnyOrder is alike for outputs of what happens side by side.
func (d *documentRun) alikeInAnyOrder(want, got string) bool {
	left, open := d.lines(got), false
	for _, line := range d.lines(want) {
		if line == "…" {
			open = true
			continue
		}
		at := slices.IndexFunc(left, func(g string) bool { return likeLine(line, g) })
		if at < 0 {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return open || len(left) == 0
}

// lines are the lines of an output with words in place of what differs from time to time.
func (d *documentRun) lines(text string) []string {
	text = strings.ReplaceAll(text, d.dir, "/srv/evrun")
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.word)
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return lines
}

// varying are the parts of an output that are not the same twice. Those before go first.
var varying = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d| [A-Z]{3,4}\b)?`), "TIME"},
	{regexp.MustCompile(`(([A-Z][a-z]{2} )?[A-Z][a-z]{2} \d\d? )?\d\d:\d\d:\d\d(\.\d+)?`), "TIME"},
	{regexp.MustCompile(`(\d+-[a-z][a-z0-9-]*)-[a-z2-7]{8}\b`), "$1-RUN"},
	{regexp.MustCompile(`/evrun/[A-Z0-9]{10,}`), "/evrun/STORE"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ns|µs|us|ms|s|m|h|d|w))+\b( ago)?|\bnow\b`), "AGE"},
	{regexp.MustCompile(`, waited AGE`), ""},
	{regexp.MustCompile(`\b\d+(\.\d+)? (events|rows|users)/s`), "RATE"},
	{regexp.MustCompile(`\b1[78]\d{8}\b`), "UNIX"},
	{regexp.MustCompile(`\b(pid|PID) \d+`), "PID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d`), "DAY"},
	{regexp.MustCompile(`evrun (devel\S*|v\d\S*)`), "evrun VERSION"},
	{regexp.MustCompile(`\b\d+(\.\d+)? [kMGKi]*B\b`), "SIZE"},
}

// likeLines compares lines. An expected line "…" stands for any lines, also for none.
func likeLines(want, got []string) bool {
	for i, line := range want {
		if line == "…" {
			for skip := range len(got) - i + 1 {
				if likeLines(want[i+1:], got[i+skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(got) || !likeLine(line, got[i]) {
			return false
		}
	}
	return len(got) == len(want)
}

// likeLine compares two lines. How much of a text a table has room for depends on the width of its other columns.
func likeLine(want, got string) bool {
	w, cut := strings.CutSuffix(want, "…")
	g, short := strings.CutSuffix(got, "…")
	if cut || short {
		return strings.HasPrefix(w, g) || strings.HasPrefix(g, w)
	}
	return want == got
}

// The comparison fails where an output differs.
func TestDocumentsAreCompared(t *testing.T) {
	t.Parallel()
	d := &documentRun{t: t, dir: "/tmp/x"}
	for _, test := range []struct {
		want, got string
		same      bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "b\n", false},
		{"a\n", "a\nb\n", false},
		{"a\nb\n", "a\n", false},
		{"a\n…\n", "a\nb\nc\n", true},
		{"…\nc\n", "a\nb\nc\n", true},
		{"…\nd\n", "a\nb\nc\n", false},
		{"a\n…\nc\n", "a\nc\n", true},
		{"in 20h11m\n", "in 3m\n", true},
		{"took 3ms, at 10:00:01\n", "took 1.2s, at 11:12:13.004\n", true},
		{"7-backup-6pxi2obe  succeeded\n", "7-backup-abcdefgh succeeded\n", true},
		{"7-backup-6pxi2obe  succeeded\n", "8-backup-abcdefgh succeeded\n", false},
		{"/srv/evrun/evrun.db\n", "/tmp/x/evrun.db\n", true},
		{"no room for all th…\n", "no room for al…\n", true},
		{"no room for all th…\n", "no room for it…\n", false},
		{"12 events\n", "13 events\n", false},
	} {
		if got := d.alike(test.want, test.got); got != test.same {
			t.Errorf("%q and %q: %v", test.want, test.got, got)
		}
	}
}
