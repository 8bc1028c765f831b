package clustertest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/client"
)

// load sends events to daemons that may be dead, stopped or cut off. Each sender has keys of its own, and sends on when all of a request is acknowledged:
// until then it sends the same events again, to any of the daemons.
type load struct {
	w       *world
	senders int
	total   int
	request int           // events in one
	over    time.Duration // that the events are spread over; 0: as fast as they are taken

	mu      sync.Mutex
	history history
	acked   int
}

// send returns when all events are acknowledged, or ctx has ended.
func (l *load) send(ctx context.Context) {
	l.history.sent = make(map[string]sent, l.total)
	var all sync.WaitGroup
	for s := range l.senders {
		all.Go(func() { l.sender(ctx, s) })
	}
	all.Wait()
}

func (l *load) sender(ctx context.Context, s int) {
	const keys = 4
	next := [keys]int{}
	pace := time.NewTicker(max(time.Microsecond, l.over*time.Duration(l.request*l.senders)/time.Duration(l.total)))
	defer pace.Stop()
	for sentBy := 0; sentBy < l.total/l.senders; {
		<-pace.C
		n := min(l.request, l.total/l.senders-sentBy)
		batch := map[string]sent{}
		var body strings.Builder
		for i := range n {
			k := (sentBy + i) % keys
			key := fmt.Sprintf("%d.%d", s, k)
			id := fmt.Sprintf("%s.%d", key, next[k])
			batch[id] = sent{key: key, n: next[k], first: time.Now()}
			fmt.Fprintf(&body, `{"id":%q,"type":"load.event","data":{"key":%q,"n":%d}}`+"\n", id, key, next[k])
			next[k]++
		}
		l.note(batch)
		for !l.try(ctx, body.String(), n) {
			if ctx.Err() != nil {
				return
			}
		}
		for id, e := range batch {
			e.acked = time.Now()
			batch[id] = e
		}
		l.note(batch)
		l.mu.Lock()
		l.acked += n
		l.mu.Unlock()
		sentBy += n
	}
}

func (l *load) note(batch map[string]sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.Copy(l.history.sent, batch)
}

// try sends a request to one of the daemons, and reports whether all of its events were acknowledged.
func (l *load) try(ctx context.Context, body string, n int) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	to := l.w.nodes[rand.IntN(len(l.w.nodes))]
	answered := 0
	_, err := to.EmitLines(ctx, bytes.NewReader([]byte(body)), client.LinesOptions{
		LineDefaults: api.LineDefaults{Source: "/proof"}, MaxData: 1 << 20,
		Answered: func(a client.LineAnswer) error {
			if a.Problem == nil {
				answered++
			}
			return nil
		},
	})
	if err == nil && answered == n {
		return true
	}
	time.Sleep(20 * time.Millisecond) // the daemon may be dead
	return false
}

// progress is how many events are acknowledged.
func (l *load) progress() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// settled waits until every acknowledged event has its effect, or nothing more is to be done, and completes the history.
func (l *load) settled() *history {
	l.w.t.Helper()
	for last := int64(-1); ; { // as long as it goes on
		effects := l.w.number(`SELECT count(DISTINCT id) FROM effects`)
		if effects == last {
			l.w.until("every run is settled", func() (bool, string) {
				open := l.w.number(`SELECT count(*) FROM evrun.runs WHERE state <= 2`)
				now := l.w.number(`SELECT count(DISTINCT id) FROM effects`)
				return now > effects || int(now) >= l.progress() && open == 0, fmt.Sprintf("%d of %d have effects, %d runs are open", now, l.progress(), open)
			})
			if l.w.number(`SELECT count(DISTINCT id) FROM effects`) == effects {
				break
			}
		}
		last = effects
		time.Sleep(100 * time.Millisecond) // other processes
	}
	return l.read()
}

// read completes the history with what is in the database.
func (l *load) read() *history {
	l.w.t.Helper()
	h := &l.history
	rows, err := l.w.pool.Query(context.Background(), `SELECT id, key, n FROM effects ORDER BY no`)
	if err != nil {
		l.w.t.Fatal(err)
	}
	h.effects = nil
	for rows.Next() {
		var e effect
		if err := rows.Scan(&e.id, &e.key, &e.n); err != nil {
			l.w.t.Fatal(err)
		}
		h.effects = append(h.effects, e)
	}
	if rows, err = l.w.pool.Query(context.Background(), `SELECT slot FROM ticks`); err != nil {
		l.w.t.Fatal(err)
	}
	h.slots, h.every = map[string][]time.Time{}, map[string]time.Duration{"tick": time.Second}
	for rows.Next() {
		var slot int64
		if err := rows.Scan(&slot); err != nil {
			l.w.t.Fatal(err)
		}
		h.slots["tick"] = append(h.slots["tick"], time.Unix(slot, 0).UTC())
	}
	return h
}
