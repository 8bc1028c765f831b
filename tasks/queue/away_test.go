package queue

import (
	"context"
	"errors"

	"evrun/events"
	"evrun/store"
)

var errAway = errors.New("the database is away")

// Events and the others fail now and then.
func (c *cluster) Events(ctx context.Context, q store.EventQuery) ([]*events.Event, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.Events(ctx, q)
}

func (c *cluster) Head(ctx context.Context) (int64, error) {
	if c.fails() {
		return 0, errAway
	}
	return c.memory.Head(ctx)
}

func (c *cluster) Pending(ctx context.Context, h store.HandlerID, slots store.Slots, limit int) ([]store.Run, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.Pending(ctx, h, slots, limit)
}

func (c *cluster) PendingAfter(ctx context.Context, h store.HandlerID, after int64, limit int) ([]store.Run, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.PendingAfter(ctx, h, after, limit)
}

func (c *cluster) Runs(ctx context.Context, q store.RunQuery) ([]store.Run, error) {
	if c.fails() {
		return nil, errAway
	}
	return c.memory.Runs(ctx, q)
}

func (c *cluster) fails() bool {
	if c.broken > 0 {
		c.broken--
		return true
	}
	return false
}
