package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"evrun/cmd/api/limits"
	"evrun/cmd/api/peer"
	"evrun/tasks/audit"
)

// The server has two doors with the same routes. Who may open the socket may do everything; who comes by TCP must pass the gate. Each has its
// own connections, so that strangers never shut out the operator.
//
// Both speak HTTP/1.1 alone: one request at a time has a connection, so that the limits of connections and of times bound all that a client
// can make the server do. In HTTP/2 a connection has hundreds of streams, which can be opened and reset faster than they are counted; what it would
// give, more than six streams of one browser, is what a proxy in front gives as well.

// serverOf makes the server of a door.
func (s *Server) serverOf(handler http.Handler, context func(context.Context, net.Conn) context.Context) *http.Server {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Server{
		Handler:                      limits.Patient(handler, s.crowded),
		DisableGeneralOptionsHandler: true, // which would answer OPTIONS * before the gate
		ConnContext:                  context,
		Protocols:                    &http1,
		ReadHeaderTimeout:            10 * time.Second, // also of a TLS handshake
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               64 << 10,
		ErrorLog:                     slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
}

// Serve answers requests on l, the control socket, until Close.
func (s *Server) Serve(l net.Listener) error {
	return serve(s.http, s.connections.Listener(l))
}

// ServeTCP answers requests on l until Close. They must pass the gate. With conf, which names http/1.1 as its only protocol, the connections have TLS.
func (s *Server) ServeTCP(l net.Listener, conf *tls.Config) error {
	l = s.strangers.Listener(l)
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	return serve(s.tcp, l)
}

// shut closes both doors: it waits for the answers that are being written, until ctx ends. A stranger who has not sent a whole request is not waited for.
func (s *Server) shut(ctx context.Context) error {
	var doors sync.WaitGroup
	var errs [2]error
	for i, server := range []*http.Server{s.http, s.tcp} {
		doors.Go(func() {
			if server.Shutdown(ctx) != nil {
				errs[i] = server.Close()
			}
		})
	}
	s.silent.Close()
	doors.Wait()
	return errors.Join(errs[:]...)
}

// Strangers is how many connections by TCP are open, and how many were refused because there were too many.
func (s *Server) Strangers() (open, refused int64) { return s.strangers.Open(), s.strangers.Refused() }

func serve(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ofSocket marks the requests of a connection with who sends them, and those of a connection beyond the limit.
func ofSocket(ctx context.Context, c net.Conn) context.Context {
	ctx, c = limits.Mark(ctx, c)
	who := audit.Actor{UID: -1}
	if uid, known := peer.UID(c); known {
		who.UID = uid
	}
	return audit.With(ctx, who)
}

// ofTCP marks the requests of a connection beyond the limit, and keeps the connection for streams. Who sends the others is said by their tokens.
func ofTCP(ctx context.Context, c net.Conn) context.Context {
	ctx, c = limits.Mark(ctx, c)
	return audit.With(limits.WithConn(ctx, c), audit.Actor{UID: -1})
}
