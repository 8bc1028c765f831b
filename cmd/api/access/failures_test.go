package access

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func TestWrongTokensOfAnAddressAreLimited(t *testing.T) {
	var f Failures
	now := time.Unix(1_800_000_000, 0)
	from := netip.MustParseAddr("192.0.2.1")
	for i := range failuresAtOnce {
		if _, ok := f.Note(from, now); !ok {
			t.Fatalf("number %d is too many", i)
		}
	}
	retry, ok := f.Note(from, now)
	if ok || retry != failureEvery {
		t.Errorf("one more: %v, %v", retry, ok)
	}
	if _, ok := f.Note(netip.MustParseAddr("192.0.2.2"), now); !ok {
		t.Error("another address must wait, too")
	}
	if _, ok := f.Note(from, now.Add(retry)); !ok {
		t.Error("after the wait it is still too many")
	}
}

func TestAddressesOfIPv6CountByTheirNetwork(t *testing.T) {
	var f Failures
	now := time.Unix(1_800_000_000, 0)
	for i := range failuresAtOnce {
		at := netip.MustParseAddr("2001:db8:0:1::").As16()
		at[15] = byte(i)
		f.Note(netip.AddrFrom16(at), now)
	}
	if _, ok := f.Note(netip.MustParseAddr("2001:db8:0:1:ffff::1"), now); ok {
		t.Error("another address of the network begins anew")
	}
	if _, ok := f.Note(netip.MustParseAddr("2001:db8:0:2::1"), now); !ok {
		t.Error("another network must wait, too")
	}
}

func TestWhatIsRememberedOfAddressesIsBounded(t *testing.T) {
	var f Failures
	now := time.Unix(1_800_000_000, 0)
	refused := 0
	for i := range uint32(failureSenders * 3) {
		var at [4]byte
		binary.BigEndian.PutUint32(at[:], i)
		if _, ok := f.Note(netip.AddrFrom4(at), now); !ok {
			refused++
		}
	}
	if len(f.of) > failureSenders || refused != failureSenders*2-failuresAtOnce {
		t.Errorf("%d addresses, %d refused", len(f.of), refused)
	}
	if _, ok := f.Note(netip.MustParseAddr("2001:db8::1"), now.Add(time.Hour)); !ok || len(f.of) != 1 {
		t.Errorf("later: %v, %d addresses", ok, len(f.of))
	}
}
