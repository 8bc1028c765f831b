package queue

// ordered is an item of a heap. It is told its index in there, for heap.Fix.
type ordered[T any] interface {
	before(other T) bool
	moved(place int)
}

// queued is a container/heap: the item that comes first is on top.
type queued[T ordered[T]] []T

func (h queued[T]) Len() int           { return len(h) }
func (h queued[T]) Less(i, j int) bool { return h[i].before(h[j]) }
func (h queued[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].moved(i)
	h[j].moved(j)
}
func (h *queued[T]) Push(x any) {
	item := x.(T)
	item.moved(len(*h))
	*h = append(*h, item)
}
func (h *queued[T]) Pop() any {
	last := len(*h) - 1
	item := (*h)[last]
	clear((*h)[last:])
	*h = (*h)[:last]
	return item
}
