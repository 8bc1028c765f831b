package feed

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"evrun/events"
	"evrun/store"
)

// channel is the one on which the processes of a database notify each other.
const channel = "evrun"

// note is the payload of a notification.
type note struct {
	Origin  int64                       `json:"n"`
	Head    int64                       `json:"h,omitempty"`
	Runs    map[store.HandlerID][]int64 `json:"r,omitempty"` // the first sequence, and each one's difference from the one before
	Changes bool                        `json:"c,omitempty"` // evrun.changes has more
	Peers   bool                        `json:"p,omitempty"` // see Options.OnPeers
}

const (
	notifyEvery = 5 * time.Millisecond
	maxPayload  = 7000   // bytes; the server takes less than 8,000
	maxKept     = 20_000 // runs that wait for the next notifications; others are not named
)

// notes are what others are to know.
type notes struct {
	pool   *pgxpool.Pool
	origin int64
	wake   chan struct{}

	mu   sync.Mutex
	next note // without Runs
	runs []Key
}

// add adds an own transaction.
func (n *notes) add(own Own) {
	if len(own.Events) == 0 && len(own.Changed) == 0 && !own.Told {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next.Head = max(n.next.Head, own.head())
	n.next.Changes = n.next.Changes || own.Told
	if room := maxKept - len(n.runs); room > 0 {
		n.runs = append(n.runs, own.Changed[:min(room, len(own.Changed))]...)
	}
	signal(n.wake)
}

func (n *notes) peers() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next.Peers = true
	signal(n.wake)
}

// take returns the next notification. More may remain.
func (n *notes) take() (next note, some bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next, n.next = n.next, note{}
	next.Origin = n.origin
	size, i := 100, 0
	for last := map[store.HandlerID]int64{}; i < len(n.runs) && size < maxPayload; i++ {
		k := n.runs[i]
		if next.Runs == nil {
			next.Runs = map[store.HandlerID][]int64{}
		}
		before, known := last[k.Handler]
		if !known {
			size += 16
		}
		step := k.Sequence - before
		next.Runs[k.Handler] = append(next.Runs[k.Handler], step)
		last[k.Handler] = k.Sequence
		size += 1 + digits(step)
	}
	n.runs = n.runs[i:]
	if len(n.runs) > 0 {
		signal(n.wake)
	} else {
		n.runs = nil
	}
	return next, next.Head > 0 || next.Changes || next.Peers || i > 0
}

func digits(n int64) (d int) {
	if n < 0 {
		d, n = 1, -n
	}
	for d++; n > 9; n /= 10 {
		d++
	}
	return d
}

// putBack keeps what was not sent, but for the runs.
func (n *notes) putBack(unsent note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next.Head = max(n.next.Head, unsent.Head)
	n.next.Changes = n.next.Changes || unsent.Changes
	n.next.Peers = n.next.Peers || unsent.Peers
	signal(n.wake)
}

// keys are the runs that a notification names.
func (n *note) keys() (keys []Key) {
	for h, steps := range n.Runs {
		sequence := int64(0)
		for _, step := range steps {
			sequence += step
			keys = append(keys, Key{h, sequence})
		}
	}
	return keys
}

// send sends notifications until ctx ends, and then what remains.
func (n *notes) send(ctx context.Context) {
	var c *pgxpool.Conn
	defer func() {
		if c != nil {
			c.Release()
		}
	}()
	for {
		select {
		case <-n.wake:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			for last.Err() == nil {
				next, some := n.take()
				if !some || n.sendOne(last, &c, next) != nil {
					return
				}
			}
			return
		}
		next, some := n.take()
		if !some {
			continue
		}
		if err := n.sendOne(ctx, &c, next); err != nil {
			n.putBack(next)
			pause(ctx, time.Second)
		}
		pause(ctx, notifyEvery)
	}
}

func (n *notes) sendOne(ctx context.Context, c **pgxpool.Conn, next note) error {
	payload, err := events.MarshalJSON(next)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if *c == nil {
		if *c, err = n.pool.Acquire(ctx); err != nil {
			return err
		}
		// A notification that a crash undoes is not missed: everybody connects again, and looks.
		_, err = (*c).Exec(ctx, `SELECT set_config('synchronous_commit', 'off', false)`)
	}
	if err == nil {
		_, err = (*c).Exec(ctx, `SELECT pg_notify($1, $2)`, channel, string(payload))
	}
	if err != nil {
		(*c).Release()
		*c = nil
	}
	return err
}

// listen hears what others say, until ctx ends.
func (f *Feed) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.hear(ctx); err != nil {
			pause(ctx, 200*time.Millisecond)
		}
	}
}

// hear listens on one connection.
func (f *Feed) hear(ctx context.Context) error {
	pooled, err := f.opt.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	c := pooled.Hijack() // it listens until its end
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(end)
	}()
	if _, err := c.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	// Whoever said something before is not heard again.
	f.hearAll()
	for {
		said, err := next(ctx, c)
		if err != nil {
			return err
		}
		if said == nil {
			continue
		}
		var n note
		if json.Unmarshal([]byte(said.Payload), &n) != nil || n.Origin == f.origin {
			continue // somebody else's, or our own
		}
		f.mu.Lock()
		f.heard.head = max(f.heard.head, n.Head)
		f.heard.changes = f.heard.changes || n.Changes
		if len(n.Runs) > 0 && len(f.heard.runs) < maxHeard && f.opt.WantRuns != nil && f.opt.WantRuns() {
			f.heard.runs = append(f.heard.runs, n.keys()...)
		}
		f.mu.Unlock()
		if n.Peers && f.opt.OnPeers != nil {
			f.opt.OnPeers()
		}
		signal(f.wake)
	}
}

// next waits for a notification. When there is none for a while, it looks whether the server is still there, and returns nil.
func next(ctx context.Context, c *pgx.Conn) (*pgconn.Notification, error) {
	waiting, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	said, err := c.WaitForNotification(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return said, err
	}
	asking, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	return nil, c.Ping(asking)
}

const silence = 5 * time.Second

func (f *Feed) hearAll() {
	if f.opt.OnPeers != nil {
		f.opt.OnPeers()
	}
	signal(f.wake)
}
