package postgres_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// cable is a connection to the server that can be pulled.
type cable struct {
	address string
	mu      sync.Mutex
	whole   chan struct{} // closed while it is
}

func newCable(t *testing.T, address string) *cable {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port := u.Query().Get("port")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{whole: make(chan struct{})}
	close(c.whole)
	c.address = fmt.Sprintf("postgres://postgres@%s%s?sslmode=disable", l.Addr(), u.Path)
	t.Cleanup(func() {
		c.mend()
		l.Close()
	})
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				c.wait()
				far, err := net.Dial("tcp", "127.0.0.1:"+port)
				if err != nil {
					return
				}
				defer far.Close()
				go func() {
					_, _ = io.Copy(throughCable{c, far}, near)
					far.Close()
				}()
				_, _ = io.Copy(throughCable{c, near}, far)
			}()
		}
	}()
	return c
}

func (c *cable) wait() {
	c.mu.Lock()
	whole := c.whole
	c.mu.Unlock()
	<-whole
}

func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = make(chan struct{})
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.whole:
	default:
		close(c.whole)
	}
}

// throughCable passes on what is written, while the cable is whole.
type throughCable struct {
	c *cable
	net.Conn
}

func (t throughCable) Write(b []byte) (int, error) {
	t.c.wait()
	return t.Conn.Write(b)
}
