package limits

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// from is a connection from an address.
type from struct {
	net.Conn
	addr string
}

func (c from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.addr), 4000))
}
func (from) Close() error { return nil }

func TestOneAddressCannotTakeAllConnections(t *testing.T) {
	c := &Connections{Most: 1000, Share: 50, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	take := func(addr string, n int) (answered, refused, closed int, conns []net.Conn) {
		for range n {
			switch conn := c.take(from{addr: addr}); {
			case conn == nil:
				closed++
			case conn.beyond:
				refused++
				conns = append(conns, conn)
			default:
				answered++
				conns = append(conns, conn)
			}
		}
		return answered, refused, closed, conns
	}
	for _, x := range []struct {
		addr                      string
		n                         int
		answered, refused, closed int
	}{
		{"192.0.2.1", 300, 50, 10, 240},
		{"::ffff:192.0.2.1", 10, 0, 0, 10}, // the same one
		{"192.0.2.2", 10, 10, 0, 0},        // another address has its own
		{"2001:db8::1", 40, 40, 0, 0},
		{"2001:db8::2", 40, 10, 10, 20}, // the same network
		{"2001:db8:0:1::1", 40, 40, 0, 0},
		{"127.0.0.1", 100, 100, 0, 0}, // this machine
		{"10.1.2.3", 100, 100, 0, 0},  // a proxy
	} {
		answered, refused, closed, _ := take(x.addr, x.n)
		if answered != x.answered || refused != x.refused || closed != x.closed {
			t.Errorf("%s: %d answered, %d refused, %d closed: %+v", x.addr, answered, refused, closed, x)
		}
	}
}

func TestAClosedConnectionGivesItsPlaceBack(t *testing.T) {
	c := &Connections{Most: 10, Share: 5}
	for range 100 {
		var open []net.Conn
		for range 5 {
			conn := c.take(from{addr: "192.0.2.1"})
			if conn == nil || conn.beyond {
				t.Fatal("there is no place")
			}
			open = append(open, conn)
		}
		for _, conn := range open {
			_ = conn.Close()
			_ = conn.Close() // counts once
		}
	}
	if c.Open() != 0 || len(c.from) != 0 {
		t.Errorf("%d open, %v", c.Open(), c.from)
	}
}

func TestTheSystemKeepsLittleOfAStreamThatIsNotRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reader, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	SendLittle(WithConn(t.Context(), c))
	if err := c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Write(make([]byte, 8<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n > 1<<20 {
		t.Errorf("it took %d bytes, %v", n, err)
	}
}
