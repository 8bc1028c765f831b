package signature

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // senders that know nothing else; an HMAC of it is not broken
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// hmacHash is a hash by its scheme's name.
type hmacHash struct {
	name string
	make func() hash.Hash
	size int
}

var hashes = map[string]hmacHash{
	HMACSHA256: {HMACSHA256, sha256.New, sha256.Size},
	HMACSHA1:   {HMACSHA1, sha1.New, sha1.Size},
	HMACSHA512: {HMACSHA512, sha512.New, sha512.Size},
}

// hmacs is a header with the HMAC of the body, or several with commas between them.
type hmacs struct {
	header, prefix string
	timestamp      string // the header with the time; empty: none is signed
	before         string // signed in front of the time
	base64         bool
	hash           hmacHash
	secrets        [][]byte
	tolerance      time.Duration
}

func (h *hmacs) verify(r Request, now time.Time) *Refusal {
	text, refusal := one(r, h.header)
	if refusal != nil {
		return refusal
	}
	signatures, refusal := h.parse(text)
	if refusal != nil {
		return refusal
	}
	var at time.Time
	written := ""
	if h.timestamp != "" {
		if written, refusal = one(r, h.timestamp); refusal != nil {
			return refusal
		}
		if at, refusal = parseTime(h.timestamp, written); refusal != nil {
			return refusal
		}
	}
	if !matches(h.secrets, signatures, func(secret []byte) []byte { return h.sum(secret, written, r.Body) }) {
		return mismatch(h.header, len(h.secrets))
	}
	if h.timestamp != "" {
		return checkTime(at, now, h.tolerance)
	}
	return nil
}

// matches reports whether one of the signatures is that of one of the secrets. It takes as long for each.
func matches(secrets, signatures [][]byte, sum func(secret []byte) []byte) bool {
	found := false
	for _, secret := range secrets {
		want := sum(secret)
		for _, s := range signatures {
			found = hmac.Equal(s, want) || found
		}
	}
	return found
}

func (h *hmacs) sum(secret []byte, written string, body []byte) []byte {
	mac := hmac.New(h.hash.make, secret)
	if h.timestamp != "" {
		mac.Write([]byte(h.before + written + ":"))
	}
	mac.Write(body)
	return mac.Sum(nil)
}

// parse reads the signatures of the header.
func (h *hmacs) parse(text string) ([][]byte, *Refusal) {
	parts := strings.Split(text, ",")
	if len(parts) > maxSignatures {
		return nil, &Refusal{Malformed, fmt.Sprintf("there are more than %d signatures in %s", maxSignatures, h.header), ""}
	}
	var signatures [][]byte
	var first *Refusal
	for _, part := range parts {
		s, refusal := h.parseOne(strings.TrimSpace(part))
		switch {
		case refusal == nil:
			signatures = append(signatures, s)
		case first == nil:
			first = refusal
		}
	}
	if signatures == nil {
		return nil, first
	}
	return signatures, nil
}

func (h *hmacs) parseOne(text string) ([]byte, *Refusal) {
	text, begins := cutBeginning(text, h.prefix)
	if !begins {
		return nil, &Refusal{Malformed, fmt.Sprintf("the signature in %s does not begin with %s", h.header, strconv.Quote(h.prefix)), beginning(text)}
	}
	raw, err := decode(text, h.base64)
	if err == nil && len(raw) == h.hash.size {
		return raw, nil
	}
	for _, encoded64 := range []bool{h.base64, !h.base64} {
		raw, err := decode(text, encoded64)
		if err != nil {
			continue
		}
		for _, other := range []string{HMACSHA256, HMACSHA1, HMACSHA512} {
			switch {
			case len(raw) != hashes[other].size:
			case encoded64 == h.base64:
				return nil, &Refusal{Malformed, fmt.Sprintf("the signature in %s has the size of %s, not of %s", h.header, other, h.hash.name), "it may need scheme: " + other}
			default:
				return nil, &Refusal{Malformed, fmt.Sprintf("the signature in %s is %s, not %s", h.header, encodingOf(encoded64), encodingOf(h.base64)),
					"it needs encoding: " + encodingOf(encoded64)}
			}
		}
	}
	return nil, &Refusal{Malformed, fmt.Sprintf("what is in %s is not the %s of %s", h.header, encodingOf(h.base64), h.hash.name), beginning(text)}
}

// beginning is a hint to a prefix that senders use.
func beginning(text string) string {
	for _, prefix := range []string{"sha256=", "sha1=", "sha512=", "v0=", "v1="} {
		if rest, begins := cutBeginning(text, prefix); begins && rest != "" {
			return fmt.Sprintf("it needs prefix: %q", prefix)
		}
	}
	return ""
}

func encodingOf(base64 bool) string {
	if base64 {
		return "base64"
	}
	return "hex"
}

// decode reads the bytes of a signature. Base64 may be that of urls, and without padding.
func decode(text string, encoded64 bool) ([]byte, error) {
	if !encoded64 {
		return hex.DecodeString(text)
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.DecodeString(text)
}

func (h *hmacs) sign(_ string, body []byte, now time.Time, header http.Header) {
	written := ""
	if h.timestamp != "" {
		written = strconv.FormatInt(now.Unix(), 10)
		header.Set(h.timestamp, written)
	}
	sum := h.sum(h.secrets[0], written, body)
	text := hex.EncodeToString(sum)
	if h.base64 {
		text = base64.StdEncoding.EncodeToString(sum)
	}
	header.Set(h.header, h.prefix+text)
}
