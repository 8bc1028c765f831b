package clustertest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest"
)

// faults are what happens to the server that the daemons share. Each lasts some seconds.
var faults = map[string]func(t *testing.T, w *world, s *postgrestest.Server){
	"crashes": func(t *testing.T, w *world, s *postgrestest.Server) {
		for range 3 {
			time.Sleep(2 * time.Second)
			if err := s.Restart(true); err != nil {
				t.Error(err)
			}
		}
	},
	"hangs": func(_ *testing.T, w *world, s *postgrestest.Server) {
		pids := w.text(`SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE pid <> pg_backend_pid()`) + " " + strconv.Itoa(s.PID())
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
			for _, pid := range strings.Fields(pids) {
				if n, err := strconv.Atoi(pid); err == nil {
					_ = syscall.Kill(n, sig)
				}
			}
			if sig == syscall.SIGSTOP {
				time.Sleep(12 * time.Second)
			}
		}
	},
	"ends all sessions": func(_ *testing.T, w *world, _ *postgrestest.Server) {
		for range 60 {
			_, _ = w.pool.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`)
			time.Sleep(150 * time.Millisecond)
		}
	},
	"is full of connections": func(t *testing.T, w *world, s *postgrestest.Server) {
		_, _ = w.pool.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`)
		var taken []net.Conn
		for range 220 {
			if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))); err == nil {
				_, _ = c.Write([]byte("\x00\x00\x00\x1f\x00\x03\x00\x00user\x00postgres\x00\x00"))
				taken = append(taken, c)
			}
		}
		time.Sleep(10 * time.Second)
		for _, c := range taken {
			c.Close()
		}
	},
	"locks the journal": func(t *testing.T, w *world, _ *postgrestest.Server) {
		for range 3 {
			tx, err := w.pool.Begin(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = tx.Exec(context.Background(), `LOCK TABLE evrun.journal, evrun.runs, evrun.shares, evrun.beats IN ACCESS EXCLUSIVE MODE`)
			time.Sleep(7 * time.Second)
			_ = tx.Rollback(context.Background())
			time.Sleep(time.Second)
		}
	},
	"is away": func(t *testing.T, w *world, s *postgrestest.Server) {
		for _, n := range w.nodes {
			n.proxy.hold()
			n.proxy.reset()
		}
		time.Sleep(30 * time.Second)
		for _, n := range w.nodes {
			n.proxy.restore()
		}
	},
}

// The server that three daemons share, or one has, fails in several ways while events come in: nothing that was acknowledged is lost, nothing is doubled.
func TestTheServerFails(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	t.Parallel() // it waits most of the time
	left := storetest.Size(t, "EVRUN_FAULTS", 3, 3)
	for name, fault := range faults { // in any order
		for _, daemons := range []int{3, 1} {
			if left--; left < 0 {
				return
			}
			t.Run(fmt.Sprint(name, " ", daemons), func(t *testing.T) {
				s := server(t)
				s.Exec(t, "postgres", "CREATE DATABASE proof")
				w := newWorld(t, s.DSN("proof"))
				for i := range daemons {
					w.add(fmt.Sprintf("node%d", i), "postgres://postgres@127.0.0.1:PORT/proof?sslmode=disable", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))).start()
				}
				for _, n := range w.nodes {
					n.ready()
				}
				l := &load{w: w, senders: 8, total: 8000, request: 25, over: 15 * time.Second}
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					l.send(t.Context())
				}()
				time.Sleep(2 * time.Second)
				fault(t, w, s)
				began, at := time.Now(), l.progress()
				<-sent
				t.Logf("over at event %d; all were sent after %.1f s", at, time.Since(began).Seconds())
				w.pool.Reset()
				l.settled().report(t)
			})
		}
	}
}
