package chains

import "crypto/sha256"

// A key of a pruned event is the first bytes of its id, and a hash of source and id. The hash alone tells the events apart. The beginning of the id only
// gives the order: most ids grow with time, and keys that come and go together then lie together.
const (
	KeyBegin = 8
	KeyHash  = 12
)

// KeyOf returns the key of an event.
func KeyOf(id, source string) []byte {
	text := make([]byte, 0, 256)
	text = append(text, id...)
	text = append(text, 0)
	text = append(text, source...)
	sum := sha256.Sum256(text)
	key := make([]byte, KeyBegin+KeyHash)
	copy(key[:KeyBegin], id)
	copy(key[KeyBegin:], sum[:])
	return key
}
