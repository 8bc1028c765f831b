package conn

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"evrun/store"
)

// serveVersion is a server that says its version and lets everybody in.
func serveVersion(t *testing.T, version string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := pgproto3.NewBackend(c, c)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: version})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		_ = b.Flush()
		_, _ = b.Receive()
	}()
	return "postgres://u@" + l.Addr().String() + "/evrun?sslmode=disable"
}

func TestOldServersAreRefused(t *testing.T) {
	for version, fits := range map[string]bool{"13.22 (Debian 13.22-1)": false, "9.6.24": false, "14.0": true, "15.18 (Debian 15.18-0+deb12u1)": true, "18beta1": true} {
		c, err := pgx.Connect(t.Context(), serveVersion(t, version))
		if err != nil {
			t.Fatal(err)
		}
		err = Fit(c)
		_ = c.Close(t.Context())
		if opening, ok := errors.AsType[*store.OpenError](err); ok == fits || ok && (opening.Passes || !strings.Contains(opening.Hint, version)) {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestWhereNoServerListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, err = pgx.Connect(t.Context(), "postgres://u:secret@"+address+"/evrun")
	err = Opening(err)
	opening, ok := errors.AsType[*store.OpenError](err)
	if !ok || !opening.Passes || !errors.Is(err, store.ErrBusy) || opening.Hint == "" {
		t.Errorf("%#v", err)
	}
	if text := err.Error(); strings.Contains(text, "\n") || strings.Contains(text, "secret") || strings.Count(text, "refused") != 1 {
		t.Errorf("%q", text)
	}
}
