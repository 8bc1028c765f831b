package transfer

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
)

// page is what the reading goroutine hands over.
type page struct {
	rows    []Row
	sum     Sum
	size    int
	cleaned int64
}

// pages reads a table in another goroutine. A page of a keyed table ends before another key.
func (t *transfer) pages(ctx context.Context, table, there *Table, after any) iter.Seq2[page, error] {
	type item struct {
		page
		err error
	}
	return func(yield func(page, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		items := make(chan item, 8)
		defer func() {
			stop()
			for range items {
			}
		}()
		go func() {
			defer close(items)
			send := func(i item) bool {
				select {
				case items <- i:
					return true
				case <-ctx.Done():
					return false
				}
			}
			var (
				p      page
				buffer []byte
			)
			for row, err := range t.from.Rows(ctx, table, after) {
				if err != nil {
					send(item{err: err})
					return
				}
				if n := len(p.rows); n >= min(pageRows, t.o.PartRows) && (!table.Keyed || !sameKey(p.rows[n-1][0], row[0])) {
					if !send(item{page: p}) {
						return
					}
					p = page{rows: make([]Row, 0, pageRows+8)}
				}
				if t.to.Clean(there, row) {
					p.cleaned++
				}
				buffer = p.sum.Add(buffer, row)
				p.size += len(buffer)
				p.rows = append(p.rows, row)
			}
			if len(p.rows) > 0 {
				send(item{page: p})
			}
		}()
		for i := range items {
			if !yield(i.page, i.err) || i.err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(page{}, err)
		}
	}
}

func (s *Sum) add(more Sum) {
	low := s[0] + more[0]
	carry := uint64(0)
	if low < s[0] {
		carry = 1
	}
	s[0], s[1] = low, s[1]+more[1]+carry
}

func sameKey(a, b any) bool {
	x, ok := a.(int64)
	y, _ := b.(int64)
	return ok && x == y
}

// keyText is a key as a state has it.
func keyText(key any) any {
	switch key := key.(type) {
	case int64:
		return key
	case []byte:
		return hex.EncodeToString(key)
	}
	return nil
}

// after is the key behind which a keyed table goes on.
func (s *State) after(t *Table) (any, error) {
	if !t.Keyed || s.After == nil {
		return nil, nil
	}
	switch after := s.After.(type) {
	case int64:
		return after, nil
	case json.Number:
		return after.Int64()
	case string:
		return hex.DecodeString(after)
	}
	return nil, fmt.Errorf("the state has the key %v", s.After)
}
