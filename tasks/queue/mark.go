package queue

// LowWater implements [Source].
func (q *Queue) LowWater(settling []*Task) int64 {
	mark := q.follower.after
	if upTo, ok := q.follower.idle(); ok {
		mark = upTo
	}
	for _, t := range settling {
		t.settling = true
	}
	for _, t := range q.active {
		if t.First() && !t.settling && !t.left { // other attempts have their row
			mark = min(mark, t.lowest()-1)
		}
	}
	if t := q.picked; t != nil && t.First() {
		mark = min(mark, t.lowest()-1)
	}
	for _, t := range settling {
		t.settling = false
	}
	if q.bursts != nil {
		mark = min(mark, q.bursts.lowest()-1)
	}
	return min(mark, q.order.lowest()-1)
}
