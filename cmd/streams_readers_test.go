package cmd_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// listenersName is the name under which this test binary opens streams: so that what it costs to read them is not taken from those who send events, and
// is measured apart.
const listenersName = "evrun-listeners"

// listenersAsked says what streams the other process opens.
type listenersAsked struct {
	Address  string
	Requests []string // of each stream
}

// serveListeners opens streams, says so, and reads every second one; it looks at nothing but how many events have come. Then it reads how many each
// reader must get, waits for that, and says how much processor time that took. It stays until its input ends.
func serveListeners() {
	in := json.NewDecoder(os.Stdin)
	var asked listenersAsked
	if err := in.Decode(&asked); err != nil {
		panic(err)
	}
	counts := make([]atomic.Int64, len(asked.Requests))
	var opened sync.WaitGroup
	for i, request := range asked.Requests {
		c, err := net.Dial("tcp", asked.Address)
		if err == nil {
			_, err = io.WriteString(c, request)
		}
		if err != nil {
			panic(err)
		}
		opened.Add(1)
		go listen(c, i%2 == 0, &counts[i], opened.Done)
	}
	opened.Wait()
	fmt.Println("open")
	var want int64
	if err := in.Decode(&want); err != nil {
		panic(err)
	}
	deadline := time.Now().Add(time.Minute)
	for i := 0; i < len(counts); {
		switch got := counts[i].Load(); {
		case got == want:
			i += 2
		case got > want || time.Now().After(deadline):
			fmt.Printf("stream %d has %d of %d events\n", i, got, want)
			return
		default:
			<-time.After(10 * time.Millisecond)
		}
	}
	fmt.Println("all")
	_ = in.Decode(&want)
}

// listen reads a stream until its head has come and, with on, to its end.
func listen(c net.Conn, on bool, count *atomic.Int64, opened func()) {
	mark, open := []byte("\nevent: event\n"), false
	for buf, kept := make([]byte, 4<<10), 0; !open || on; {
		n, err := c.Read(buf[kept:])
		if err != nil {
			if !errors.Is(err, io.EOF) || !open {
				panic(err)
			}
			return
		}
		text := buf[:kept+n]
		if !open && bytes.Contains(text, []byte("\nevent: head\n")) {
			open = true
			opened()
		}
		count.Add(int64(bytes.Count(text, mark)))
		kept = copy(buf, text[max(0, len(text)-len(mark)+1):]) // the mark may be in two parts
	}
}

// listenersProcess are open streams of another process.
type listenersProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// openElsewhere is open in another process.
func (l *streamsLoad) openElsewhere(n int) *listenersProcess {
	l.t.Helper()
	p := &listenersProcess{cmd: exec.Command(self(l.t, l.d.dir, listenersName))}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		l.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	asked := listenersAsked{Address: l.address}
	for i := range n {
		asked.Requests = append(asked.Requests, fmt.Sprintf("GET /v1/stream?%s HTTP/1.1\r\n%s\r\n", streamFilter(i), l.headers))
	}
	if err := json.NewEncoder(p.in).Encode(asked); err != nil {
		l.t.Fatal(err)
	}
	p.says(l.t, "open")
	return p
}

func (p *listenersProcess) says(t *testing.T, want string) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); err != nil || line != want+"\n" {
		t.Fatalf("the process of the streams says %q, %v", line, err)
	}
}

// close waits until each reader has got so many events, and closes the streams.
func (p *listenersProcess) close(t *testing.T, count int64) {
	t.Helper()
	fmt.Fprintln(p.in, count)
	p.says(t, "all")
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// processorTime is how long a process has used processors.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("the processor time of a process can't be read here: ", err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}
