package stream

import (
	"errors"
	"testing"
	"testing/synctest"
)

func TestTheSlowestWriteEndsWhenRoomIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newWrites()
		p.limit = 100
		page := func() *chunk { return &chunk{} }
		ended := 0
		slow := p.begin(page(), 60, func() { ended++ })
		if w := p.begin(page(), 60, func() {}); w != nil {
			t.Fatal("there was room for both")
		}
		if p.begin(slow.chunk, 60, func() {}) == nil {
			t.Fatal("a page that is held anyway takes room")
		}
		p.room(t.Context())
		w := p.begin(page(), 60, func() {})
		if w == nil || ended != 1 {
			t.Fatalf("the slowest goes on: %v, %d", w, ended)
		}
		if err := p.done(slow); !errors.Is(err, errSlowest) {
			t.Errorf("the slowest gets %v", err)
		}
		if err := p.done(w); err != nil {
			t.Error(err)
		}
	})
}
