package clustertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"evrun/cmd"
	"evrun/store/postgres"
	"evrun/store/storetest"
)

// daemonName is the name under which this test binary is called as evrun.
const daemonName = "evrun"

// unfenced is the variable of a daemon without the fence: see [TestWithoutTheFence].
const unfenced = "EVRUN_PROOF_UNFENCED"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == daemonName {
		postgres.Unfenced = os.Getenv(unfenced) != ""
		os.Exit(cmd.Main(nil, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// cluster starts three daemons on a database of a server, each behind a proxy of its own.
func cluster(t *testing.T, env ...string) *world {
	t.Helper()
	s := server(t)
	s.Exec(t, "postgres", "CREATE DATABASE proof")
	w := newWorld(t, s.DSN("proof"))
	for i := range 3 {
		w.add(fmt.Sprintf("node%d", i), "postgres://postgres@127.0.0.1:PORT/proof?sslmode=disable", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)), env...).start()
	}
	for _, n := range w.nodes {
		n.ready()
	}
	return w
}

// disturb does something terrible to a daemon, and ends when it is over.
func (n *node) disturb(r *rand.Rand) string {
	pause := func(least, most time.Duration) { time.Sleep(least + time.Duration(r.Int64N(int64(most-least)))) } // the fault's own length
	switch r.IntN(4) {
	case 0, 1:
		n.kill()
		pause(0, time.Second)
		n.start()
		return "killed"
	case 2:
		n.signal(syscall.SIGSTOP)
		pause(9*time.Second, 11*time.Second)
		n.signal(syscall.SIGCONT)
		return "stopped for 10 s"
	default:
		if r.IntN(2) == 0 {
			n.proxy.reset()
		}
		n.proxy.hold()
		pause(time.Second, 8*time.Second)
		n.proxy.restore()
		return "cut off"
	}
}

// Three daemons share a database. They are killed, stopped for 10 s and cut off from it at random, while events come in: each event that was
// acknowledged has exactly one effect, in a table without unique keys; the events of a key ran in order; each slot of a schedule fired once.
//
//	EVRUN_ROUNDS=20 EVRUN_EVENTS=100000 go test -timeout 2h -run TestThreeDaemonsInChaos -v ./cmd/clustertest
func TestThreeDaemonsInChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	t.Parallel() // it waits most of the time
	rounds, total := storetest.Size(t, "EVRUN_ROUNDS", 1, 3), storetest.Size(t, "EVRUN_EVENTS", 10_000, 30_000)
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			chaos(t, total, uint64(time.Now().UnixNano()))
		})
	}
}

func chaos(t *testing.T, total int, seed uint64) {
	t.Logf("seed %d", seed)
	w := cluster(t)
	l := &load{w: w, senders: 32, total: total, request: 25, over: 20*time.Second + time.Duration(total)*200*time.Microsecond}
	done := make(chan struct{})
	var disturbed atomic.Int64
	var faults sync.WaitGroup
	for i, n := range w.nodes {
		faults.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Duration(2000+r.IntN(5000)) * time.Millisecond):
				}
				at := l.progress()
				t.Logf("%s was %s, from event %d on to %d", n.name, n.disturb(r), at, l.progress())
				disturbed.Add(1)
			}
		})
	}
	l.send(t.Context())
	close(done)
	faults.Wait()
	if disturbed.Load() < 6 {
		t.Errorf("only %d things went wrong: this proves nothing", disturbed.Load())
	}
	l.settled().report(t)
}

// The control: without the fence, a daemon that was stopped for 10 s settles what others have taken over, and effects are doubled. So the proof above would
// see it.
func TestWithoutTheFence(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	t.Parallel() // it waits most of the time
	w := cluster(t, unfenced+"=1")
	l := &load{w: w, senders: 32, total: 200_000, request: 100, over: 2 * time.Minute}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		l.send(ctx)
	}()
	for n := 0; w.number(`SELECT count(*) - count(DISTINCT id) FROM effects`) == 0; n++ {
		if n == 12 {
			t.Fatal("nothing was doubled: the fence can't be told from none")
		}
		node := w.nodes[n%3]
		node.signal(syscall.SIGSTOP)
		time.Sleep(5 * time.Second) // until its leases are others'
		node.signal(syscall.SIGCONT)
		time.Sleep(2 * time.Second)
	}
	stop()
	<-sent
	w.until("every run is settled", func() (bool, string) {
		open := w.number(`SELECT count(*) FROM evrun.runs WHERE state <= 2`)
		return open == 0, fmt.Sprint(open)
	})
	n := counts(l.read().check())
	if n[doubled] == 0 {
		t.Error("the checker has not found what was doubled")
	}
	t.Logf("%d events have several effects", n[doubled])
}
