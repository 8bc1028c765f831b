package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stripe is a header with a time and signatures: t=1492774577,v1=5257…,v1=….
type stripe struct {
	header    string
	secrets   [][]byte
	tolerance time.Duration
}

func (s *stripe) verify(r Request, now time.Time) *Refusal {
	text, refusal := one(r, s.header)
	if refusal != nil {
		return refusal
	}
	written, signatures, refusal := s.parse(text)
	if refusal != nil {
		return refusal
	}
	at, refusal := parseTime(s.header, written)
	if refusal != nil {
		return refusal
	}
	if !matches(s.secrets, signatures, func(secret []byte) []byte { return s.sum(secret, written, r.Body) }) {
		refusal = mismatch(s.header, len(s.secrets))
		refusal.Hint += " Each endpoint has a secret of its own, and so has stripe listen."
		return refusal
	}
	return checkTime(at, now, s.tolerance)
}

// parse reads the time and the signatures of the version v1; others are ignored.
func (s *stripe) parse(text string) (written string, signatures [][]byte, refusal *Refusal) {
	parts := strings.Split(text, ",")
	if len(parts) > maxSignatures {
		return "", nil, &Refusal{Malformed, fmt.Sprintf("there are more than %d parts in %s", maxSignatures, s.header), ""}
	}
	for _, part := range parts {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "t":
			if written != "" {
				return "", nil, &Refusal{Malformed, "there is more than one time in " + s.header, ""}
			}
			written = value
		case "v1":
			if raw, err := hex.DecodeString(value); err == nil && len(raw) == sha256.Size {
				signatures = append(signatures, raw)
			}
		}
	}
	switch {
	case written == "":
		return "", nil, &Refusal{Malformed, s.header + " has no time", "it should be t=…,v1=…"}
	case signatures == nil:
		return "", nil, &Refusal{Malformed, s.header + " has no signature of the version v1", "it should be t=…,v1=…"}
	}
	return written, signatures, nil
}

func (s *stripe) sum(secret []byte, written string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(written + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

func (s *stripe) sign(_ string, body []byte, now time.Time, header http.Header) {
	written := strconv.FormatInt(now.Unix(), 10)
	text := "t=" + written
	for _, secret := range s.secrets {
		text += ",v1=" + hex.EncodeToString(s.sum(secret, written, body))
	}
	header.Set(s.header, text)
}
