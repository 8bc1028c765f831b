package stream

import (
	"fmt"
	"net/http"
	"time"
)

// sse writes server-sent events.
type sse struct {
	w       http.ResponseWriter
	flush   *http.ResponseController
	timeout time.Duration // of one write
	wrote   time.Time     // when the last write began
}

// retry is how soon a reader should connect again, in milliseconds.
const retry = "retry: 1000\n"

// head sends the stream's position. The block has data, since clients ignore the id of a block without.
func (o *sse) head(after int64, before string) error {
	return o.send(fmt.Appendf(nil, "%sid: %d\nevent: head\ndata: {\"seq\":\"%[2]d\"}\n\n", before, after))
}

// send writes a few blocks.
func (o *sse) send(text []byte) error {
	if err := o.arm(); err != nil {
		return err
	}
	return o.write(text)
}

// arm sets the deadline of the next write.
func (o *sse) arm() error {
	o.wrote = time.Now()
	return o.flush.SetWriteDeadline(o.wrote.Add(o.timeout))
}

// end cuts a write off, from another goroutine.
func (o *sse) end() { _ = o.flush.SetWriteDeadline(time.Unix(1, 0)) }

func (o *sse) write(text []byte) error {
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.flush.Flush()
}
