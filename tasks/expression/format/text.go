package format

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
)

// Escape writes a text so that it can stand in the path or in the query of a url: everything but letters, digits, and - _ . ~ is written as %XX.
func Escape(text string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(text)+len(text)/4)
	for i := range len(text) {
		c := text[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if letter || c == '-' || c == '_' || c == '.' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// SHA256 is the hash of a text, in hexadecimal.
func SHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Algorithms are the names of hashes for HMAC.
var Algorithms = []string{"sha256", "sha1", "sha384", "sha512"}

// Hash returns the hash with one of the names of Algorithms; nil for any other name.
func Hash(algorithm string) func() hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New
	case "sha1":
		return sha1.New
	case "sha384":
		return sha512.New384
	case "sha512":
		return sha512.New
	}
	return nil
}

// Encodings are the names of encodings of a hash.
var Encodings = []string{"hex", "base64"}

// HMAC is the keyed hash of a text, in one of the Encodings.
func HMAC(hash func() hash.Hash, key, text, encoding string) string {
	mac := hmac.New(hash, []byte(key))
	mac.Write([]byte(text))
	if encoding == "base64" {
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// UUID is the nth identifier at a place of something that is named by seed: always the same for the same three. It is a UUID of version 8, RFC 9562.
func UUID(seed, place string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "evrun\x00%s\x00%s\x00%d", seed, place, n))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
