// Package postgrestest runs PostgreSQL servers for tests: throw-away clusters in temporary directories, by a user without rights.
//
// The programs are those of the newest version in Debian's usual directory, or else those in PATH. Without them a test skips; with EVRUN_REQUIRE=postgres
// it fails.
//
//	func TestMain(m *testing.M) { postgrestest.Main(m) }
//
//	func TestX(t *testing.T) { s, err := postgres.Open(ctx, postgrestest.Database(t), …) }
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running server. Its user is postgres, and connections need no password.
type Server struct {
	Dir  string // of its files and of its Unix socket
	Port int    // also of 127.0.0.1
	cmd  *exec.Cmd
	log  string
}

// DSN is how a client connects to a database by the server's Unix socket.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s&port=%d", database, s.Dir, s.Port)
}

// TCP is how a client connects to a database by TCP.
func (s *Server) TCP(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, database)
}

// PID is the process of the server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is what the server has written to its log.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.log)
	return string(text)
}

var shared struct {
	once   sync.Once
	server *Server
	err    error
	last   atomic.Int64
}

// Main runs the tests of a package, and stops the server that they shared.
func Main(m *testing.M) {
	code := m.Run()
	End()
	os.Exit(code)
}

// End stops the server that the tests of a package have shared, if they did, for a TestMain that does more than [Main].
func End() {
	if shared.server != nil {
		shared.server.Stop()
	}
}

// Database makes an empty database for one test, on a server that the tests of the package share, and returns how to connect to it. The server does
// not wait for the disk.
func Database(tb testing.TB) string {
	tb.Helper()
	Bin(tb)
	shared.once.Do(func() { shared.server, shared.err = Start("fsync=off", "synchronous_commit=on") })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.server.Database(tb)
}

// Database makes an empty database for one test.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", shared.last.Add(1))
	s.Exec(tb, "postgres", "CREATE DATABASE "+name)
	tb.Cleanup(func() { s.Exec(tb, "postgres", "DROP DATABASE "+name+" WITH (FORCE)") })
	return s.DSN(name)
}

// Exec runs statements without parameters in a database.
func (s *Server) Exec(tb testing.TB, database, statements string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, s.DSN(database))
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statements); err != nil {
		tb.Fatalf("%s: %v", statements, err)
	}
}

// Bin is the directory of the server's programs. It skips the test if there is none.
func Bin(tb testing.TB) string {
	tb.Helper()
	dir, err := bin()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("EVRUN_REQUIRE"), ","), "postgres") {
			tb.Fatal(err)
		}
		tb.Skipf("SKIPPED: %v (on Debian: apt-get install postgresql)", err)
	}
	return dir
}

var bin = sync.OnceValues(func() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return versionOf(b) - versionOf(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("there is no PostgreSQL server on this machine")
	}
	return filepath.Dir(path), nil
})

func versionOf(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// Start makes a cluster and starts its server, with settings such as "fsync=off". It is the caller's to stop.
func Start(settings ...string) (s *Server, err error) {
	programs, err := bin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "evrunpg") // a short path: it has a Unix socket
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s = &Server{Dir: dir, Port: port, log: filepath.Join(dir, "log")}
	if err := own(dir); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(programs, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if initdb.SysProcAttr, err = withoutRights(); err != nil {
		return nil, err
	}
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	args := []string{"-D", filepath.Join(dir, "data"), "-k", dir, "-p", strconv.Itoa(port)}
	for _, set := range append([]string{"listen_addresses=127.0.0.1", "max_connections=200", "shared_buffers=128MB"}, settings...) {
		args = append(args, "-c", set)
	}
	return s, s.start(filepath.Join(programs, "postgres"), args)
}

func (s *Server) start(program string, args []string) (err error) {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Dir, log, log
	if s.cmd.SysProcAttr, err = withoutRights(); err != nil {
		return err
	}
	endWithParent(s.cmd.SysProcAttr)
	if err := startFrom(s.cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		if ctx.Err() != nil {
			return errors.Join(fmt.Errorf("the server does not answer: %w\n%s", err, s.Log()), s.cmd.Process.Kill())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// startFrom starts a process from a thread that lives as long as this program: where the system can, the process ends with the thread that started it, so
// that no server stays behind when a test panics.
func startFrom(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- cmd.Start()
		select {}
	}()
	return <-started
}

// Restart stops the server, at once and without its leave when hard is set, and starts it again.
func (s *Server) Restart(hard bool) error {
	program, args := s.cmd.Path, s.cmd.Args[1:]
	s.end(hard)
	return s.start(program, args)
}

// Stop stops the server and removes its files.
func (s *Server) Stop() {
	s.end(true)
	_ = os.RemoveAll(s.Dir)
}

// end ends the server: SIGQUIT is its immediate shutdown, after which it recovers as after a crash; SIGINT the fast one.
func (s *Server) end(hard bool) {
	stop := os.Signal(interrupt)
	if hard {
		stop = quit
	}
	_ = s.cmd.Process.Signal(stop)
	_ = s.cmd.Wait() // its status says how it was stopped
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// account is the user that the server runs as; nil: the user of this process. A server refuses to run as root.
func account() (*user.User, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	if u, err := user.Lookup("postgres"); err == nil {
		return u, nil
	}
	return user.Lookup("nobody")
}

func own(dir string) error {
	u, err := account()
	if u == nil || err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return os.Chown(dir, uid, gid)
}
