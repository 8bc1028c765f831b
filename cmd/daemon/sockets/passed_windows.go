package sockets

import (
	"errors"
	"net"
)

func listenerOf(int, string) (net.Listener, error) {
	return nil, errors.New("no service manager of this system passes sockets")
}
