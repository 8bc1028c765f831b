package clustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store/postgres/postgrestest"
	"evrun/store/storetest"
)

// patroni is a cluster of three PostgreSQL servers with synchronous replication, which Patroni and etcd keep alive, all on loopback.
type patroni struct {
	t     testing.TB
	dir   string
	etcd  [2]int // its ports
	nodes [3]*member
}

// member is a server of the cluster with its Patroni.
type member struct {
	Name                string
	Dir, Bin            string
	Port, API, EtcdPort int
	cmd                 *exec.Cmd
}

var settingsOf = template.Must(template.New("").Parse(`
scope: evrun
name: {{.Name}}
restapi: {listen: "127.0.0.1:{{.API}}", connect_address: "127.0.0.1:{{.API}}"}
etcd3: {host: "127.0.0.1:{{.EtcdPort}}"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 100, shared_buffers: 64MB, wal_log_hints: "on"}
  initdb: [encoding: UTF8, locale: C]
postgresql:
  listen: 127.0.0.1:{{.Port}}
  connect_address: 127.0.0.1:{{.Port}}
  data_dir: {{.Dir}}/data
  bin_dir: {{.Bin}}
  pgpass: {{.Dir}}/pgpass
  authentication:
    superuser: {username: postgres, password: proof}
    replication: {username: replicator, password: proof}
    rewind: {username: rewind, password: proof}
  parameters: {unix_socket_directories: "{{.Dir}}"}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
`))

// newPatroni starts the cluster, and returns when it has a leader with a synchronous standby. It skips the test where Patroni or etcd is missing.
func newPatroni(t testing.TB) *patroni {
	t.Helper()
	bin := postgrestest.Bin(t)
	for _, program := range []string{"etcd", "patroni"} {
		if _, err := exec.LookPath(program); err != nil {
			if strings.Contains(os.Getenv("EVRUN_REQUIRE"), "patroni") {
				t.Fatal(err)
			}
			t.Skipf("SKIPPED: %v (on Debian: apt-get install patroni etcd-server)", err)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "evrunha") // a short path: it has Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &patroni{t: t, dir: dir, etcd: [2]int{freePort(t), freePort(t)}}
	p.own(dir)
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", p.etcd[0]), fmt.Sprintf("http://127.0.0.1:%d", p.etcd[1])
	etcd := p.command(dir, "etcd", "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--unsafe-no-fsync")
	if err := etcd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = etcd.Process.Kill()
		_ = etcd.Wait()
	})
	for i := range p.nodes {
		m := &member{Name: fmt.Sprintf("pg%d", i), Dir: filepath.Join(dir, fmt.Sprint(i)), Bin: bin, Port: freePort(t), API: freePort(t), EtcdPort: p.etcd[0]}
		p.nodes[i] = m
		if err := os.Mkdir(m.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		p.own(m.Dir)
		var text bytes.Buffer
		if err := settingsOf.Execute(&text, m); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(m.Dir, "patroni.yml"), text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		p.start(m)
		t.Cleanup(func() { p.kill(m) })
	}
	p.until("the cluster has a leader and a synchronous standby", func() bool { return p.leader() != nil && p.standbys() > 0 })
	return p
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// own gives a directory to the user that the servers run as.
func (p *patroni) own(dir string) {
	if uid, gid, ok := servant(); ok {
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// servant is the user that servers run as, where this process is root's.
func servant() (uid, gid uint32, ok bool) {
	u, err := user.Lookup("postgres")
	if os.Getuid() != 0 || err != nil {
		return 0, 0, false
	}
	n, _ := strconv.Atoi(u.Uid)
	g, _ := strconv.Atoi(u.Gid)
	return uint32(n), uint32(g), true
}

func (p *patroni) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	if uid, gid, ok := servant(); ok {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return cmd
}

func (p *patroni) start(m *member) {
	p.t.Helper()
	m.cmd = p.command(m.Dir, "patroni", filepath.Join(m.Dir, "patroni.yml"))
	log, err := os.OpenFile(filepath.Join(m.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) // a file: the server keeps it open
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.Env = append(os.Environ(), "PATH="+m.Bin+":"+os.Getenv("PATH"), "HOME="+m.Dir)
	if err := m.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends a server and its Patroni as the loss of their machine does.
func (p *patroni) kill(m *member) {
	_ = syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL)
	_ = m.cmd.Wait()
	text, err := os.ReadFile(filepath.Join(m.Dir, "data", "postmaster.pid"))
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0]); err == nil && pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // the server is the leader of a group
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// leader is the member that is the primary; nil: there is none now.
func (p *patroni) leader() *member {
	for _, m := range p.nodes {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/primary", m.API), nil)
		res, err := http.DefaultClient.Do(req)
		cancel()
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return m
			}
		}
	}
	return nil
}

// standbys is how many synchronous standbys the cluster has.
func (p *patroni) standbys() (n int) {
	for _, m := range p.nodes {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/cluster", m.API))
		if err != nil {
			continue
		}
		var list struct {
			Members []struct{ Role, State string }
		}
		err = json.NewDecoder(res.Body).Decode(&list)
		res.Body.Close()
		if err != nil {
			continue
		}
		for _, m := range list.Members {
			if m.Role == "sync_standby" {
				n++
			}
		}
		return n
	}
	return 0
}

func (p *patroni) until(what string, ask func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !ask(); time.Sleep(100 * time.Millisecond) { // other processes
		if time.Now().After(deadline) {
			for _, m := range p.nodes {
				text, _ := os.ReadFile(filepath.Join(m.Dir, "log"))
				p.t.Logf("the log of %s:\n%s", m.Name, text[max(0, len(text)-2500):])
			}
			p.t.Fatalf("it never came that %s", what)
		}
	}
}

// dsn reaches whichever server is the primary.
func (p *patroni) dsn(database string) string {
	var hosts []string
	for _, m := range p.nodes {
		hosts = append(hosts, fmt.Sprintf("127.0.0.1:%d", m.Port))
	}
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/" + database + "?sslmode=disable&target_session_attrs=read-write&connect_timeout=2"
}

// The primary is killed, as with its machine, while three daemons run and events come in: Patroni makes a standby the primary, the daemons find it, and no
// acknowledged event is lost, doubled or out of order.
func TestTheDatabaseFailsOver(t *testing.T) {
	if testing.Short() {
		t.Skip("a proof with daemons of its own: runs without -short")
	}
	t.Parallel() // it waits most of the time
	p := newPatroni(t)
	admin, err := pgx.Connect(t.Context(), p.dsn("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE proof"); err != nil {
		t.Fatal(err)
	}
	admin.Close(t.Context())
	p.until("every server has the database", func() bool {
		for _, m := range p.nodes {
			c, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://postgres@127.0.0.1:%d/proof?sslmode=disable", m.Port))
			if err != nil {
				return false
			}
			c.Close(t.Context())
		}
		return true
	})
	w := newWorld(t, p.dsn("proof"))
	for i := range 3 {
		w.add(fmt.Sprintf("node%d", i), p.dsn("proof"), "").start()
	}
	for _, n := range w.nodes {
		n.ready()
	}
	l := &load{w: w, senders: 16, total: storetest.Size(t, "EVRUN_EVENTS", 16_000, 16_000), request: 25, over: 20 * time.Second}
	failovers := storetest.Size(t, "EVRUN_FAILOVERS", 1, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := range failovers {
			for l.progress() < l.total*(i+1)/(failovers+2) {
				time.Sleep(10 * time.Millisecond) // the load decides
			}
			old := p.leader()
			if old == nil {
				continue
			}
			began, at := time.Now(), l.progress()
			p.kill(old)
			for p.leader() == nil || p.leader() == old || l.progress() == at {
				time.Sleep(50 * time.Millisecond) // other processes
				if time.Since(began) > patience {
					t.Errorf("no event was accepted for %v after %s was killed", patience, old.Name)
					return
				}
			}
			t.Logf("%s was killed at event %d; %s is the primary, and events are accepted again, after %.1f s", old.Name, at, p.leader().Name, time.Since(began).Seconds())
			p.start(old)
			p.until("there is a synchronous standby again", func() bool { return p.standbys() > 0 })
		}
	}()
	l.send(t.Context())
	<-ended
	w.pool.Reset()
	l.settled().report(t)
}
