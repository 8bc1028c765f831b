// Package supervisor reports the state of the daemon to the service manager that started it, by the protocol of systemd's sd_notify(3): when it is
// ready, reloads or stops, how long a stop may still take, and that it is not stuck.
//
//	s := supervisor.Take()
//	go s.Watch(ctx, store.Ping, warn)
//	err := s.Ready("12 handlers", 0)
//
// The protocol is a line NAME=VALUE for each fact, in a datagram to the socket that NOTIFY_SOCKET names; a library for it would be larger.
// No method but Watch blocks for longer than a second: where nobody reads the socket, they return an error.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Supervisor is the service manager that started this process. A nil one is told nothing. Safe for concurrent use.
type Supervisor struct {
	socket   string
	watchdog time.Duration // it wants to hear from us once in this time, or in the one that Ready asked for; 0: it doesn't

	mu       sync.Mutex
	stopping bool // nothing after it is news
}

// Take returns the supervisor that the environment names, or nil, and removes its variables from the environment: what this process starts has
// no part in them.
func Take() *Supervisor {
	take := func(name string) string {
		value := os.Getenv(name)
		_ = os.Unsetenv(name)
		return value
	}
	s := &Supervisor{socket: take("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(take("WATCHDOG_USEC"), 10, 64)
	if pid := take("WATCHDOG_PID"); err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	if s.socket == "" {
		return nil
	}
	return s
}

// Ready reports that the daemon serves, also after a reload. hold is how long a statement may hold the store: the watchdog waits longer by twice this
// time, because a statement may be repeated.
func (s *Supervisor) Ready(status string, hold time.Duration) error {
	lines := []string{"READY=1", "STATUS=" + status}
	if s != nil && s.watchdog > 0 {
		lines = append(lines, fmt.Sprintf("WATCHDOG_USEC=%d", (s.watchdog+2*hold).Microseconds()))
	}
	return s.report(false, lines...)
}

// Reloading reports that a reload has begun. Ready ends it.
func (s *Supervisor) Reloading() error {
	return s.report(false, "RELOADING=1", "STATUS=reads its wiring file again")
}

// Stopping reports that the daemon stops, and asks for at least this much more time. From then on Ready and Reloading report nothing.
func (s *Supervisor) Stopping(status string, atLeast time.Duration) error {
	return s.report(true, "STOPPING=1", "STATUS="+status, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", atLeast.Microseconds()))
}

// report sends a state, unless it comes after the stop began.
func (s *Supervisor) report(stops bool, lines ...string) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping && !stops {
		return nil
	}
	s.stopping = stops
	return s.send(lines...)
}

// Watch tells the supervisor that the daemon is not stuck, until ctx ends: each time that ping has returned, in a third of the time after which
// the supervisor restarts the daemon. What ping returns does not matter, as long as it does: a full disk is not cured by a restart. Late pings, and
// failures to report, are passed to warn. Without a watchdog, Watch does nothing until ctx ends.
func (s *Supervisor) Watch(ctx context.Context, ping func(context.Context) error, warn func(msg string, err error)) error {
	if s == nil || s.watchdog == 0 {
		<-ctx.Done()
		return nil
	}
	every := s.watchdog / 3
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, every)
		err := ping(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			warn("the store has not answered in "+every.String()+"; if that goes on, the supervisor restarts evrun", err)
		default:
			if err := s.send("WATCHDOG=1"); err != nil {
				warn("the supervisor can't be reached", err)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// send sends one message. A name that begins with @ is that of an abstract socket, for package net, too.
func (s *Supervisor) send(lines ...string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "\n", " ")
	}
	_, err = c.Write([]byte(strings.Join(lines, "\n")))
	return err
}
