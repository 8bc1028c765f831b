package sockets

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"evrun/cmd/config/settings"
)

func TestAnAddressThatCannotBeListenedOnSaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, x := range map[string]struct {
		listen, msg, hint string
	}{
		"a port in use":        {taken.Addr().String(), "another program listens there", "ss -ltnp"},
		"an address elsewhere": {"192.0.2.1:7770", "this machine does not have the address", "ip address"},
		"a name without one":   {"nowhere.invalid:7770", "no address is known for nowhere.invalid", "IP address"},
		"all, and no TLS":      {"[::]:0", "other machines can reach", "server.tls"},
		"IPv4 in IPv6, no TLS": {"[::ffff:0.0.0.0]:0", "other machines can reach", "server.tls"},
	} {
		l, err := Listen(t.Context(), settings.Server{Listen: x.listen}, nil)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Msg, x.msg) || !strings.Contains(e.Hint, x.hint) {
			t.Errorf("%s: %v, %+v", name, l, err)
		}
	}
	if os.Getuid() != 0 {
		_, err := Listen(t.Context(), settings.Server{Listen: "127.0.0.1:1"}, nil)
		var e *Error
		if err != nil && (!errors.As(err, &e) || !strings.Contains(e.Hint, "CAP_NET_BIND_SERVICE")) {
			t.Errorf("a privileged port: %+v", err)
		}
	}
}

func TestAPrivilegedPortSaysWhatToDo(t *testing.T) {
	err := explained("127.0.0.1:80", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", os.ErrPermission)})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "CAP_NET_BIND_SERVICE") {
		t.Errorf("%+v", err)
	}
}

func TestTheAddressOfThisMachineNeedsNothing(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "localhost:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "127.3.2.1:0"} {
		l, err := Listen(context.Background(), settings.Server{Listen: listen}, nil)
		if err != nil {
			if strings.Contains(err.Error(), "does not have the address") || strings.Contains(err.Error(), "not supported") {
				continue // without IPv6
			}
			t.Errorf("%s: %v", listen, err)
			continue
		}
		l.Close()
	}
	for _, open := range []settings.Server{{Insecure: true}, {TLS: settings.TLS{Cert: "c"}}} {
		open.Listen = ":0"
		l, err := Listen(context.Background(), open, nil)
		if err != nil {
			t.Errorf("%+v: %v", open, err)
			continue
		}
		l.Close()
	}
	if l, err := Listen(context.Background(), settings.Server{}, nil); l != nil || err != nil {
		t.Errorf("without an address: %v, %v", l, err)
	}
}

func TestAPassedSocketHasTheAddressOfTheSettings(t *testing.T) {
	at := func(text string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, x := range []struct {
		passed, listen string
		same           bool
	}{
		{"127.0.0.1:7770", "127.0.0.1:7770", true},
		{"127.0.0.1:7770", "[::ffff:127.0.0.1]:7770", true},
		{"127.0.0.1:7770", "localhost:7770", true},
		{"127.0.0.1:7770", "127.0.0.1:7771", false},
		{"127.0.0.1:7770", "127.0.0.2:7770", false},
		{"127.0.0.1:7770", ":7770", false},
		{"[::]:7770", ":7770", true},
		{"[::]:7770", "0.0.0.0:7770", true},
		{"0.0.0.0:7770", "[::]:7770", true},
		{"0.0.0.0:7770", "127.0.0.1:7770", false}, // more than the settings say
	} {
		if same(at(x.passed), x.listen) != x.same {
			t.Errorf("%+v", x)
		}
	}
}
