package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
)

// Sum is a sum of hashes of rows, which has no order.
type Sum [2]uint64

// Add adds a row.
func (s *Sum) Add(buffer []byte, row Row) []byte {
	buffer = appendRow(buffer[:0], row)
	h := sha256.Sum256(buffer)
	var carry uint64
	s[0], carry = bits.Add64(s[0], binary.LittleEndian.Uint64(h[:]), 0)
	s[1], _ = bits.Add64(s[1], binary.LittleEndian.Uint64(h[8:]), carry)
	return buffer
}

// appendRow writes a row so that different ones are different.
func appendRow(b []byte, row Row) []byte {
	for _, v := range row {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.LittleEndian.AppendUint64(append(b, 'i'), uint64(v))
		case float64:
			b = binary.LittleEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
		case string:
			b = append(binary.LittleEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.LittleEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
		default:
			panic(fmt.Sprintf("a row has a %T", v))
		}
	}
	return b
}

// String is the sum in hexadecimal digits.
func (s Sum) String() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], s[1])
	binary.BigEndian.PutUint64(b[8:], s[0])
	return hex.EncodeToString(b[:])
}

// MarshalText implements [encoding.TextMarshaler].
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Sum) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != 16 {
		return fmt.Errorf("%q is not a sum", text)
	}
	s[1], s[0] = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	return nil
}
