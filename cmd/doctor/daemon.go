package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
	"evrun/events"
	"evrun/store/files"
)

// answersWithin is how long a daemon has to say how it is.
const answersWithin = 5 * time.Second

// socket asks the daemon, and looks at its socket.
func (x *examination) socket(ctx context.Context) {
	if x.cfg == nil {
		return
	}
	server := x.cfg.Settings.Server
	info, err := os.Lstat(server.Socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.add("daemon", Warning, "start it with evrun serve", "no daemon runs: %s does not exist", server.Socket)
		return
	case err != nil:
		x.add("socket", Error, "run evrun as the user of the daemon", "%v", err)
		return
	case info.Mode().Type() != fs.ModeSocket:
		x.add("socket", Error, "move it away, or set server.socket to another path", "%s is %s, not a socket", server.Socket, files.Kind(info))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	status, err := x.Status(ctx, x.cfg)
	var unreachable *client.ConnectError
	switch {
	case errors.Is(err, api.ErrNoDaemon):
		x.add("socket", Warning, "start it with evrun serve, which replaces the socket", "no daemon runs; %s was left behind", server.Socket)
	case errors.As(err, &unreachable):
		x.add("socket", Error, unreachable.Hint, "%s: %v", server.Socket, err)
	case errors.Is(err, context.DeadlineExceeded):
		x.add("daemon", Error, "see what its log says; restart it if it does nothing", "the daemon has not answered within %v", answersWithin)
	case err != nil:
		x.add("daemon", Error, "see what its log says", "the daemon can't say how it is: %v", err)
	default:
		x.daemon = &status
		if perm := info.Mode().Perm(); server.SocketMode != 0 && perm != server.SocketMode {
			x.add("socket", Warning, fmt.Sprintf("chmod %o %s, or restart the daemon", server.SocketMode, server.Socket), "its mode is %o, and should be %o", perm, server.SocketMode)
		} else {
			x.add("socket", OK, "", "%s, mode %o", server.Socket, perm)
		}
		x.running(&status)
	}
}

// running is what a daemon says.
func (x *examination) running(s *api.Status) {
	x.add("daemon", OK, "", "it was started %s, process %d", x.within(s.StartedAt), s.PID)
	if own := x.Version; s.Version != own {
		x.add("version", Warning, "restart the daemon to have it run the installed version", "the daemon is evrun %s, this is evrun %s", s.Version, own)
	} else {
		x.add("version", OK, "", "evrun %s", own)
	}
	for _, p := range s.Problems {
		level, check := Warning, "handlers"
		switch p.What {
		case api.TroublePruning:
			continue // looked at with the store
		case api.TroubleStore:
			level, check = Error, "store"
		case api.TroubleReload:
			level, check = Error, "reload"
		case api.TroubleTLS:
			check = "tls"
		case api.TroubleDead:
			check = "runs"
		case api.TroubleSpans:
			check = "spans"
		case api.TroubleStopping:
			check = "daemon"
		case api.TroubleMissed, api.TroubleLate, api.TroubleLastSlot:
			check = "schedules"
		}
		name := p.Name
		if name != "" {
			name += ": "
		}
		hint := p.Do
		if hint == "" && p.What == api.TroubleStore {
			hint = "evrun status shows more; end what reads the store for so long"
		}
		x.add(check, level, hint, "%s%s", name, events.EscapeControl(p.Text))
	}
}
