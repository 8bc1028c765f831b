package clustertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/cmd/api/apitest"
	"evrun/cmd/api/client"
	"evrun/store/postgres/postgrestest"
)

// patience is how long a proof waits for what must come. Nothing is measured by it.
const patience = 2 * time.Minute

// world is a database with daemons on it.
type world struct {
	t     testing.TB
	pool  *pgxpool.Pool // of the proof itself; it does not go through a proxy
	nodes []*node
}

// wiring is what the daemons of a proof run. STORE and NAME are replaced.
const wiring = `
store: "STORE"
server: {socket: evrun.sock, watch: false}
node: {name: NAME}
log: {level: debug}
handlers:
  - name: record
    on: load.event
    order_by: data.key
    do: sql
    with:
      statement: INSERT INTO effects (id, key, n) VALUES (:id, :key, :n)
      params: {id: "${ event.id }", key: "${ data.key }", n: "${ data.n }"}
  - name: record-ticks
    on: load.tick
    do: sql
    with:
      statement: INSERT INTO ticks (slot) VALUES (:slot)
      params: {slot: "${ data.slot }"}
schedules:
  - {name: tick, every: 1s, missed: all, emit: load.tick, data: {slot: "${ slot.unix }"}}
`

// tables are the proof's own. They have no unique keys but the numbers of their rows.
const tables = `
CREATE TABLE effects (no bigint GENERATED ALWAYS AS IDENTITY, id text NOT NULL, key text NOT NULL, n integer NOT NULL);
CREATE TABLE ticks (no bigint GENERATED ALWAYS AS IDENTITY, slot bigint NOT NULL);
`

// newWorld makes the tables of a proof in a database.
func newWorld(t testing.TB, dsn string) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	if w.pool, err = pgxpool.New(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	w.exec(tables)
	return w
}

func (w *world) exec(statements string) {
	w.t.Helper()
	if _, err := w.pool.Exec(context.Background(), statements); err != nil {
		w.t.Fatal(err)
	}
}

// number is the result of a query for one number.
func (w *world) number(query string, args ...any) (n int64) {
	w.t.Helper()
	if err := w.pool.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// text is the result of a query for one text.
func (w *world) text(query string) (s string) {
	if err := w.pool.QueryRow(context.Background(), query).Scan(&s); err != nil {
		return err.Error()
	}
	return s
}

// until waits until ask returns true; its text says what is missing.
func (w *world) until(what string, ask func() (bool, string)) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // other processes
		ok, missing := ask()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			w.t.Logf("slots: %s", w.text(`SELECT coalesce(json_agg(s)::text, '') FROM evrun.shares s`))
			w.t.Logf("nodes: %s", w.text(`SELECT coalesce(json_agg(n)::text, '') FROM (SELECT n.*, b.expires_at, now() FROM evrun.nodes n LEFT JOIN evrun.beats b ON b.node = n.id) n`))
			w.t.Logf("handlers: %s", w.text(`SELECT coalesce(json_agg(h)::text, '') FROM evrun.handlers h`))
			w.t.Fatalf("it never came that %s: %s", what, missing)
		}
	}
}

// node is `evrun serve` as a process of its own.
type node struct {
	*client.Client
	w     *world
	name  string
	dir   string
	env   []string
	proxy *proxy // to the database; nil: directly
	log   lockedBuffer
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

// add makes a node whose store is at an address, in which PORT is replaced by that of a proxy to the target; without a target there is none.
func (w *world) add(name, store, target string, env ...string) *node {
	w.t.Helper()
	n := &node{w: w, name: name, dir: apitest.Dir(w.t), env: env}
	if target != "" {
		n.proxy = newProxy(w.t, target)
		store = strings.ReplaceAll(store, "PORT", fmt.Sprint(n.proxy.port()))
	}
	text := strings.NewReplacer("STORE", store, "NAME", name).Replace(wiring)
	if err := os.WriteFile(filepath.Join(n.dir, "evrun.yaml"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	bin, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.Symlink(bin, filepath.Join(n.dir, daemonName)); err != nil {
		w.t.Fatal(err)
	}
	n.Client = client.New(filepath.Join(n.dir, "evrun.sock"))
	w.nodes = append(w.nodes, n)
	w.t.Cleanup(func() {
		n.kill()
		if w.t.Failed() {
			w.t.Logf("the log of %s:\n%s", n.name, n.tail())
			if dir := os.Getenv("EVRUN_LOGS"); dir != "" { // all of it
				_ = os.WriteFile(filepath.Join(dir, n.name+".log"), []byte(n.log.String()), 0o600)
			}
		}
	})
	return n
}

// start starts the daemon; ready waits until it answers.
func (n *node) start() {
	n.w.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	cmd := exec.Command(filepath.Join(n.dir, daemonName), "serve")
	cmd.Dir, cmd.Stderr, cmd.Env = n.dir, &n.log, append(os.Environ(), n.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		n.w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the state has its error
		close(ended)
	}()
	n.cmd, n.ended = cmd, ended
}

func (n *node) ready() {
	n.w.t.Helper()
	n.w.until(n.name+" is ready", func() (bool, string) {
		err := n.Ping(context.Background())
		return err == nil, fmt.Sprint(err)
	})
}

// signal sends a signal to the daemon, if it runs.
func (n *node) signal(s syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		_ = n.cmd.Process.Signal(s) // it may have ended
	}
}

// kill ends the daemon as a crash does.
func (n *node) kill() {
	n.signal(syscall.SIGKILL)
	if n.ended != nil {
		<-n.ended
	}
	n.CloseIdleConnections()
}

// stop ends the daemon as its user does, and returns its exit code.
func (n *node) stop() int {
	n.signal(syscall.SIGTERM)
	<-n.ended
	n.CloseIdleConnections()
	return n.cmd.ProcessState.ExitCode()
}

func (n *node) tail() string {
	text := n.log.String()
	return text[max(0, len(text)-4000):]
}

// lockedBuffer is a log that is written and read at the same time.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// server starts a PostgreSQL of the proof's own, which waits for the disk as in production.
func server(t testing.TB, settings ...string) *postgrestest.Server {
	t.Helper()
	postgrestest.Bin(t)
	s, err := postgrestest.Start(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}
