// Package wire sends several statements to PostgreSQL in one message, with values in the binary format of its protocol.
//
// A message without BEGIN is one transaction: it is committed when all of its statements have succeeded, and after the first error nothing of it is done.
// So a transaction costs one round trip.
//
// No goroutines. One goroutine uses a Conn.
package wire

import "encoding/binary"

// Value is a parameter in the binary format; nil: NULL.
type Value []byte

// Int8 is a bigint.
func Int8(n int64) Value { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// Int4 is an integer.
func Int4(n int32) Value { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// Text is a text.
func Text(s string) Value { return append(make([]byte, 0, len(s)), s...) }

// OrNull is a text, or NULL when it is empty.
func OrNull(s string) Value {
	if s == "" {
		return nil
	}
	return Text(s)
}

// Int8OrNull is a bigint, or NULL when it is 0.
func Int8OrNull(n int64) Value {
	if n == 0 {
		return nil
	}
	return Int8(n)
}

// The types of the elements of an array: their numbers are fixed in pg_type.dat.
const (
	Bytea    = 17
	Bigint   = 20
	Smallint = 21
	Texts    = 25
)

// arrayHeader is the number of dimensions (1), whether there are NULLs, the type of the elements, their number, and the first index (1).
const arrayHeader = 20

// Array is an array that grows.
type Array struct {
	b     []byte
	n     int
	nulls bool
}

// NewArray makes an empty array, with room for so many bytes.
func NewArray(typ uint32, room int) *Array {
	a := &Array{b: make([]byte, arrayHeader, arrayHeader+room)}
	binary.BigEndian.PutUint32(a.b, 1)
	binary.BigEndian.PutUint32(a.b[8:], typ)
	binary.BigEndian.PutUint32(a.b[16:], 1)
	return a
}

// Len is the number of elements.
func (a *Array) Len() int { return a.n }

// Int8 adds a bigint.
func (a *Array) Int8(v int64) {
	a.n++
	a.b = binary.BigEndian.AppendUint32(a.b, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(v))
}

// Text adds a text.
func (a *Array) Text(v string) {
	a.n++
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(v)))
	a.b = append(a.b, v...)
}

// OrNull adds a text, or NULL when it is empty.
func (a *Array) OrNull(v string) {
	if v == "" {
		a.Null()
		return
	}
	a.Text(v)
}

// Bytes adds the bytes of a text or bytea.
func (a *Array) Bytes(v []byte) {
	a.n++
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(v)))
	a.b = append(a.b, v...)
}

// BytesOrNull adds the bytes of a text or bytea, or NULL when they are nil.
func (a *Array) BytesOrNull(v []byte) {
	if v == nil {
		a.Null()
		return
	}
	a.Bytes(v)
}

// Int8OrNull adds a bigint, or NULL when it is 0.
func (a *Array) Int8OrNull(v int64) {
	if v == 0 {
		a.Null()
		return
	}
	a.Int8(v)
}

// Null adds a NULL.
func (a *Array) Null() {
	a.n++
	a.nulls = true
	a.b = append(a.b, 0xff, 0xff, 0xff, 0xff)
}

// Value is the array as it is so far.
func (a *Array) Value() Value {
	if a.nulls {
		a.b[7] = 1
	}
	binary.BigEndian.PutUint32(a.b[12:], uint32(a.n))
	return a.b
}
