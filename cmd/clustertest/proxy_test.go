package clustertest

import (
	"net"
	"sync"
	"testing"
)

// proxy is a TCP connection to a server that can be cut, as a network can.
type proxy struct {
	t        testing.TB
	listener net.Listener
	target   string

	mu    sync.Mutex
	heal  chan struct{} // closed when things go through again
	conns map[net.Conn]bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: l, target: target, heal: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(p.heal)
	go p.accept()
	t.Cleanup(func() {
		l.Close()
		p.reset()
		p.restore()
	})
	return p
}

func (p *proxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// hold lets nothing through, and breaks nothing: as when a cable is pulled.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heal = make(chan struct{})
}

// restore ends hold.
func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.heal:
	default:
		close(p.heal)
	}
}

// reset breaks all connections.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *proxy) open() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heal
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			<-p.open()
			s, err := net.Dial("tcp", p.target)
			if err != nil {
				c.Close()
				return
			}
			p.mu.Lock()
			p.conns[c], p.conns[s] = true, true
			p.mu.Unlock()
			var both sync.WaitGroup
			both.Go(func() { p.copy(c, s) })
			both.Go(func() { p.copy(s, c) })
			both.Wait()
			p.mu.Lock()
			delete(p.conns, c)
			delete(p.conns, s)
			p.mu.Unlock()
		}()
	}
}

// copy passes on what comes, but not while the connection is cut.
func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		<-p.open()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
