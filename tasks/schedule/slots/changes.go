package slots

import (
	"math"
	"time"
)

// Change is a change of a zone's clock.
type Change struct {
	At     time.Time     // the first instant with the new offset
	Before time.Duration // how far the clock was ahead of UTC
	After  time.Duration // how far it is since then
}

// Changes returns the changes of a zone's clock in (from, to].
func Changes(zone *time.Location, from, to time.Time) (list []Change) {
	c := &clock{loc: zone}
	for p := c.period(from.Unix()); p.end != math.MaxInt64 && p.end <= to.Unix(); {
		next := c.period(p.end)
		if next.offset != p.offset {
			list = append(list, Change{At: time.Unix(p.end, 0).UTC(), Before: time.Duration(p.offset) * time.Second, After: time.Duration(next.offset) * time.Second})
		}
		p = next
	}
	return list
}
