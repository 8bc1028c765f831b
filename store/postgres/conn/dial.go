package conn

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
)

// Prepare makes connections notice that a server has gone, and ask each host of the address for no longer than connect_timeout, 2 seconds if it has none.
func Prepare(c *pgx.ConnConfig) {
	c.DialFunc = Dial
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 2 * time.Second
	}
}

// Dial connects to a server, and notices within seconds that its machine or the way to it has gone, where the system can: a lost primary is not waited
// for, but looked for again among the hosts of the address.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
		Control:         bound,
	}
	return d.DialContext(ctx, network, address)
}

// unanswered is how long sent data waits for the other side to acknowledge it.
const unanswered = 10 * time.Second
