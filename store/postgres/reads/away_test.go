package reads

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/store"
	"evrun/store/postgres/postgrestest"
	"evrun/store/postgres/schema"
	"evrun/store/storetest"
)

// TestReadsGoOnAfterTheirConnectionBroke: sessions that an operator or a restart has ended are replaced at once.
func TestReadsGoOnAfterTheirConnectionBroke(t *testing.T) {
	m := journal(t, 10)
	c, err := pgx.ConnectConfig(t.Context(), m.config.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for range 5 {
		if head, err := m.Head(t.Context()); head != 10 || err != nil {
			t.Errorf("%d, %v", head, err)
		}
		if _, err := c.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAReadSaysWhereNobodyAnswers: the error passes, names the host, and not the password.
func TestAReadSaysWhereNobodyAnswers(t *testing.T) {
	config, err := pgxpool.ParseConfig("postgres://ada:geheim@127.0.0.1:1/journal?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), config, "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err = r.Head(t.Context()); !errors.Is(err, store.ErrBusy) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("%v", err)
	}
}

// TestReadsEndWhenTheNetworkIsCut: packets that get lost give no error; then a read ends by itself. When the network is back, the next one succeeds.
func TestReadsEndWhenTheNetworkIsCut(t *testing.T) {
	storetest.LongOnly(t) // it waits for some seconds
	server, err := postgrestest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	p := newWire(t, server.TCP("postgres"))
	config, err := pgxpool.ParseConfig(p.address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.ConnectConfig(t.Context(), config.ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Migrate(t.Context(), c, func() string { return "aaaaaaaa" }); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), config, "aaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 2 {
		var all sync.WaitGroup
		for range 2 * config.MaxConns {
			all.Go(func() {
				if _, err := r.Head(t.Context()); err != nil {
					t.Errorf("before: %v", err)
				}
			})
		}
		all.Wait()
		time.Sleep(1100 * time.Millisecond) // connections are idle: they are tried first
		p.cut.Lock()
		begun := time.Now()
		for range 3 {
			all.Go(func() {
				if _, err := r.Head(t.Context()); !errors.Is(err, store.ErrBusy) {
					t.Errorf("while it is cut: %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begun); took > answerTimeout+2*time.Second {
			t.Errorf("it took %v", took)
		}
		p.cut.Unlock()
		if _, err := r.Head(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// wire forwards connections to a server, and nothing while it is cut: what then comes is lost, and connections that were there stay silent.
type wire struct {
	address string
	cut     sync.RWMutex
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	config, err := pgx.ParseConfig(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	host := net.JoinHostPort(config.Host, "")
	port := to[strings.LastIndex(to[:strings.LastIndex(to, "/")], ":")+1 : strings.LastIndex(to, "/")]
	w := &wire{address: strings.Replace(to, ":"+port, ":"+l.Addr().String()[strings.LastIndex(l.Addr().String(), ":")+1:], 1)}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", host+port)
			if err != nil {
				from.Close()
				continue
			}
			go w.forward(from, server)
			go w.forward(server, from)
		}
	}()
	return w
}

func (w *wire) forward(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		w.cut.RLock() // waits until the cut has ended
		_, err = to.Write(b[:n])
		w.cut.RUnlock()
		if err != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
}
