package schema

import "crypto/sha256"

// PrunedKey is the key of a pruned event: the first 8 bytes of its id, and 12 bytes of a hash of its id and source. The hash alone tells events apart; the
// beginning of the id gives the order, so that keys which come and go together lie together.
func PrunedKey(id, source string) []byte {
	text := make([]byte, 0, 256)
	text = append(text, id...)
	text = append(text, 0)
	text = append(text, source...)
	sum := sha256.Sum256(text)
	key := make([]byte, 20)
	copy(key[:8], id)
	copy(key[8:], sum[:])
	return key
}
