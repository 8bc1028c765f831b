package prune

import (
	"database/sql/driver"
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"

	"evrun/events"
	"evrun/store/chains"
	"evrun/store/sqlite/conn"
)

// filter says of most events that they were not pruned, without a look at the table. Its size is fixed: with more than a few million keys, only the
// beginnings of ids still leave events out, which those that grow with time do.
type filter struct {
	begins [1 << 21 / 64]uint64 // by a hash of the id's beginning
	hashes [1 << 24 / 64]uint64 // by two parts of the hash
}

func place(begin []byte) (word, bit uint64) {
	h := binary.BigEndian.Uint64(begin) * 0x9e3779b97f4a7c15 >> (64 - 21)
	return h / 64, 1 << (h % 64)
}

func places(hash []byte) (words, bits [2]uint64) {
	for i := range words {
		h := uint64(binary.BigEndian.Uint32(hash[4*i:])) % (1 << 24)
		words[i], bits[i] = h/64, 1<<(h%64)
	}
	return words, bits
}

func (f *filter) add(key []byte) {
	word, bit := place(key)
	f.begins[word] |= bit
	words, bits := places(key[chains.KeyBegin:])
	for i := range words {
		f.hashes[words[i]] |= bits[i]
	}
}

// mayHaveBegin reports whether an id that begins like this one may have been pruned.
func (f *filter) mayHaveBegin(id string) bool {
	var begin [chains.KeyBegin]byte
	copy(begin[:], id)
	word, bit := place(begin[:])
	return f.begins[word]&bit != 0
}

func (f *filter) mayHave(key []byte) bool {
	words, bits := places(key[chains.KeyBegin:])
	return f.hashes[words[0]]&bits[0] != 0 && f.hashes[words[1]]&bits[1] != 0
}

// Keys answers whether an event is one that was pruned. Its exported methods belong to the writer's transactions, as does what they are asked with.
type Keys struct {
	some   bool                   // there may be keys
	filter atomic.Pointer[filter] // has all keys; nil: it is not known which there are

	mu   sync.Mutex
	next *filter // that ForgetKeys builds anew, so that old keys leave it; nil: it does not
}

// Load looks whether there are keys.
func (k *Keys) Load(w conn.Prepare) error {
	n, err := w.Number(`SELECT EXISTS (SELECT 1 FROM pruned_keys)`)
	k.some = n != 0
	return err
}

// add notes a key that a transaction inserts.
func (k *Keys) add(key []byte) {
	if !k.some {
		k.filter.Store(new(filter))
	}
	k.some = true
	k.mu.Lock() // the new filter does not take the old one's place in between, without the key
	defer k.mu.Unlock()
	if f := k.filter.Load(); f != nil {
		f.add(key)
	}
	if k.next != nil {
		k.next.add(key)
	}
}

// rebuild begins a new filter.
func (k *Keys) rebuild() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = new(filter)
}

// found adds a key to the new filter.
func (k *Keys) found(key []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next != nil {
		k.next.add(key)
	}
}

// rebuilt has the new filter take the place of the old one.
func (k *Keys) rebuilt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next != nil {
		k.filter.Store(k.next)
		k.next = nil
	}
}

// may returns an event's key if it may have been pruned, else nil.
func (k *Keys) may(e *events.Event) []byte {
	f := k.filter.Load()
	if !k.some || f != nil && !f.mayHaveBegin(e.ID) {
		return nil
	}
	key := chains.KeyOf(e.ID, e.Source)
	if f != nil && !f.mayHave(key) {
		return nil
	}
	return key
}

// together is how many keys are looked up in one statement.
const together = 32

var anyOf = `SELECT EXISTS (SELECT 1 FROM pruned_keys WHERE key IN (?` + strings.Repeat(`, ?`, together-1) + `))`

// Any reports whether one of these events was pruned.
func (k *Keys) Any(w conn.Prepare, evs []*events.Event) (bool, error) {
	if !k.some {
		return false, nil
	}
	var keys []driver.Value
	for i, e := range evs {
		if key := k.may(e); key != nil {
			keys = append(keys, key)
		}
		if len(keys) < together && (i+1 < len(evs) || len(keys) == 0) {
			continue
		}
		for len(keys) < together {
			keys = append(keys, keys[0])
		}
		if found, err := w.Number(anyOf, keys...); found != 0 || err != nil {
			return found != 0, err
		}
		keys = keys[:0]
	}
	return false, nil
}

// Sequence returns the sequence of an event that was pruned; 0: it is not known.
func (k *Keys) Sequence(w conn.Prepare, e *events.Event) (sequence int64, err error) {
	key := k.may(e)
	if key == nil {
		return 0, nil
	}
	sequence, err = w.Number(`SELECT sequence FROM pruned_keys WHERE key = ?`, key)
	if conn.NoRows(err) {
		return 0, nil
	}
	return sequence, err
}
