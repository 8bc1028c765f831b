package clustertest

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"evrun/store/sqlite/conn"
)

// moveWiring is understood by either store.
const moveWiring = `
store: evrun.db
server: {socket: evrun.sock, watch: false}
handlers:
  - name: record
    on: load.event
    order_by: data.key
    do: sql
    with:
      migrate: ["CREATE TABLE IF NOT EXISTS effects (id text NOT NULL, key text NOT NULL, n bigint NOT NULL)"]
      statement: INSERT INTO effects (id, key, n) VALUES (:id, :key, :n)
      params: {id: "${ event.id }", key: "${ data.key }", n: "${ data.n }"}
  - name: fails
    on: load.failing
    do: exec
    with: {command: ["false"]}
    retry: {attempts: 3, backoff: 1h}
`

// A store moves to PostgreSQL and back while senders go on, daemons are killed, and the move is killed at random: each acknowledged event has one effect.
func TestAStoreMovesThereAndBackUnderKills(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	s := server(t)
	s.Exec(t, "postgres", "CREATE DATABASE proof")
	w := &world{t: t}
	address := s.DSN("proof")
	for _, name := range []string{"one", "two"} {
		n := w.add(name, "", "")
		if err := os.WriteFile(filepath.Join(n.dir, "evrun.yaml"), []byte(moveWiring), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, two := w.nodes[0], w.nodes[1]
	r := rand.New(rand.NewPCG(7, 7))
	one.start()
	one.ready()
	w.evrun(one.dir, 0, "emit", "load.failing", "--id", "f", "--source", "/proof")
	l := &load{w: w, senders: 4, total: 12_000, request: 20, over: 15 * time.Second}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	sent := make(chan struct{})
	go func() { defer close(sent); l.send(ctx) }()

	acked := func(least int) {
		t.Helper()
		w.until(fmt.Sprint(least, " events are acknowledged"), func() (bool, string) { return l.progress() >= least, fmt.Sprint(l.progress()) })
	}
	acked(2000)
	one.kill()
	w.move(one.dir, r, "--to", address, "--tables", "effects")
	if out := w.evrun(one.dir, 1, "emit", "x.y"); out != "" {
		t.Error(out)
	}
	one.env, two.env = []string{"EVRUN_STORE=" + address}, []string{"EVRUN_STORE=" + address}
	one.start()
	two.start()
	acked(6000)
	one.kill()
	two.stop()
	back := filepath.Join(one.dir, "back.db")
	w.move(one.dir, r, "--from", address, "--to", back, "--tables", "effects")
	one.env = []string{"EVRUN_STORE=" + back}
	one.start()
	<-sent
	if n := l.progress(); n != l.total {
		t.Fatalf("%d of %d events were acknowledged", n, l.total)
	}
	ids := map[string]int{}
	w.until("each event has its effect", func() (bool, string) {
		clear(ids)
		c, err := conn.Open(conn.Reader(back))
		if err != nil {
			return false, err.Error()
		}
		defer c.Close()
		st, err := c.PrepareOnce(`SELECT id, count(*) FROM effects GROUP BY id`)
		if err != nil {
			return false, err.Error()
		}
		defer st.Close()
		err = st.Query(func(row []driver.Value) error {
			id, _ := row[0].(string)
			n, _ := row[1].(int64)
			ids[id] = int(n)
			return nil
		})
		return err == nil && len(ids) >= l.total, fmt.Sprint(len(ids), " of ", l.total, " ", err)
	})
	for id, n := range ids {
		if _, known := l.history.sent[id]; !known || n != 1 {
			t.Errorf("event %s has %d effects", id, n)
		}
	}
	list := w.lines(w.evrunAt(one.dir, back, "runs", "list", "--handler", "fails", "-o", "json"))
	if len(list) != 1 || list[0]["state"] != "retrying" {
		t.Errorf("the run that waits for its next attempt: %v", list)
	}
	one.stop()
}

// evrunAt is [world.evrun] with another store.
func (w *world) evrunAt(dir, store string, args ...string) string {
	w.t.Helper()
	w.t.Setenv("EVRUN_STORE", store)
	defer w.t.Setenv("EVRUN_STORE", "")
	return w.evrun(dir, 0, args...)
}

// move runs evrun migrate, which is killed some times at random, until it ends by itself.
func (w *world) move(dir string, r *rand.Rand, args ...string) {
	w.t.Helper()
	kills := 0
	for begun := time.Now(); ; {
		cmd := exec.Command(filepath.Join(dir, daemonName), append([]string{"migrate"}, args...)...)
		var out strings.Builder
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
		if err := cmd.Start(); err != nil {
			w.t.Fatal(err)
		}
		if kills < 12 {
			time.Sleep(time.Duration(r.IntN(150)) * time.Millisecond)
			_ = cmd.Process.Signal(syscall.SIGKILL) // it may have ended
		}
		err := cmd.Wait()
		switch code := cmd.ProcessState.ExitCode(); {
		case err == nil:
			w.t.Logf("moved, after %d kills: %s", kills, out.String())
			return
		case code == -1:
			kills++
		case code == 75 && time.Since(begun) < patience: // a daemon that was killed is not yet taken for dead
			time.Sleep(200 * time.Millisecond)
		default:
			w.t.Fatalf("evrun migrate %s: %v\n%s", strings.Join(args, " "), err, out.String())
		}
	}
}
