package limits

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
)

func TestBodiesTakeABoundedMemory(t *testing.T) {
	const size = 100 << 10
	body := func() io.Reader { return bytes.NewReader(make([]byte, size)) }
	here, there, net6 := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("2001:db8::1")
	all := Bodies{Most: 10 * size, Share: 2 * size}
	read := func(from netip.Addr, want error) *Held {
		t.Helper()
		h := all.Reader(body(), from)
		if _, err := io.ReadAll(h); !errors.Is(err, want) {
			t.Fatalf("from %v: %v, want %v", from, err, want)
		}
		return h
	}

	// An address has its share, and leaves the rest to others.
	first := read(here, nil)
	read(here, nil)
	third := read(here, ErrBodies)
	third.Release()
	third.Release()
	read(there, nil)
	read(net6, nil)
	read(net6.Next(), nil)
	read(net6.Next().Next(), ErrBodies).Release()
	first.Release()
	read(here, nil)

	// Small bodies are not counted, one that is larger than a share is taken, and all together have a bound.
	for range 100 {
		small := all.Reader(bytes.NewReader(make([]byte, uncounted)), here)
		if _, err := io.ReadAll(small); err != nil {
			t.Fatal(err)
		}
	}
	large := all.Reader(bytes.NewReader(make([]byte, 3*size)), netip.MustParseAddr("203.0.113.9"))
	if _, err := io.ReadAll(large); err != nil {
		t.Fatal("one large body:", err)
	}
	large.Release()
	held := []*Held{}
	for range 5 { // of this machine: no share
		held = append(held, read(netip.MustParseAddr("127.0.0.1"), nil))
	}
	read(netip.Addr{}, ErrBodies).Release()
	held[0].Release()
	read(netip.Addr{}, nil)
}
