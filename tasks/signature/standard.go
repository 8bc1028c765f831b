package signature

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/tasks/fault"
)

// The headers of Standard Webhooks. Svix, whose scheme this was, and who send for others, have the same with names of their own.
const (
	webhookID        = "Webhook-Id"
	webhookTimestamp = "Webhook-Timestamp"
	webhookSignature = "Webhook-Signature"
	svixID           = "Svix-Id"
	svixTimestamp    = "Svix-Timestamp"
	svixSignature    = "Svix-Signature"
)

// The beginnings of secrets.
const (
	symmetric  = "whsec_"
	publicKey  = "whpk_"
	privateKey = "whsk_"
)

// The versions of signatures.
const (
	versionHMAC    = "v1"
	versionEd25519 = "v1a"
)

// standardKey is a secret for HMAC, or a key of ed25519.
type standardKey struct {
	secret  []byte
	public  ed25519.PublicKey
	private ed25519.PrivateKey // nil: it can't sign
}

type standard struct {
	keys      []standardKey
	tolerance time.Duration
}

// newStandard makes the scheme of secrets that were checked.
func newStandard(secrets []string, tolerance time.Duration) *standard {
	s := &standard{tolerance: tolerance}
	for _, secret := range secrets {
		if key, wrong := parseStandardKey(secret); wrong == nil {
			s.keys = append(s.keys, key)
		}
	}
	return s
}

// parseStandardKey reads a secret.
func parseStandardKey(secret string) (standardKey, *fault.Fault) {
	secret = strings.TrimPrefix(secret, versionHMAC+",") // as Supabase writes them
	secret = strings.TrimPrefix(secret, versionEd25519+",")
	prefix := symmetric
	for _, p := range []string{publicKey, privateKey} {
		if strings.HasPrefix(secret, p) {
			prefix = p
		}
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimPrefix(secret, prefix), "="))
	switch {
	case err != nil:
		return standardKey{}, fault.New("the secret is not base64").Hinting("Standard Webhooks has secrets as whsec_BASE64, or whpk_BASE64 for a public key")
	case prefix == symmetric && len(raw) == 0:
		return standardKey{}, fault.New("the secret is empty")
	case prefix == symmetric:
		return standardKey{secret: raw}, nil
	case prefix == publicKey && len(raw) == ed25519.PublicKeySize:
		return standardKey{public: raw}, nil
	case prefix == publicKey:
		return standardKey{}, fault.New("the public key has %d bytes; ed25519 has %d", len(raw), ed25519.PublicKeySize)
	case len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize:
		return standardKey{}, fault.New("the private key has %d bytes; ed25519 has %d, or %d with the public key", len(raw), ed25519.SeedSize, ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if len(raw) == ed25519.PrivateKeySize && !private.Equal(ed25519.PrivateKey(raw)) {
		return standardKey{}, fault.New("the second half of the private key is not its public key")
	}
	return standardKey{public: private.Public().(ed25519.PublicKey), private: private}, nil
}

func (s *standard) verify(r Request, now time.Time) *Refusal {
	names := standardHeaders(r.Header)
	var values [3]string
	for _, i := range []int{2, 0, 1} {
		var refusal *Refusal
		if values[i], refusal = one(r, names[i]); refusal != nil {
			return refusal
		}
	}
	if holdsTime(values[0]) {
		return &Refusal{Malformed, "the id in " + names[0] + " has a time in it", "somebody may have moved a part of the body into it"}
	}
	at, refusal := parseTime(names[1], values[1])
	if refusal != nil {
		return refusal
	}
	signatures, refusal := parseStandard(names[2], values[2])
	if refusal != nil {
		return refusal
	}
	signed := message(values[0], values[1], r.Body)
	found := false
	for i := range s.keys {
		found = s.keys[i].matches(signed, signatures) || found
	}
	if !found {
		return s.mismatch(names[2], signatures)
	}
	return checkTime(at, now, s.tolerance)
}

// standardHeaders are the names that the id, the time and the signatures of a request have.
func standardHeaders(header http.Header) [3]string {
	if header[webhookSignature] == nil && header[svixSignature] != nil {
		return [3]string{svixID, svixTimestamp, svixSignature}
	}
	return [3]string{webhookID, webhookTimestamp, webhookSignature}
}

// holdsTime reports whether an id may have the time and the beginning of the body of a signed request in it. "ID.TIME.BODY" is signed, so whoever can
// write ".1900000000." into a body could send the rest of it with that time, and with all before it as the id.
func holdsTime(id string) bool {
	parts := strings.Split(id, ".")
	return slices.ContainsFunc(parts[1:], func(part string) bool { return len(part) >= 9 && strings.Trim(part, "0123456789") == "" })
}

// mismatch says whether there was a signature of the kind that the keys can check at all.
func (s *standard) mismatch(header string, signatures []versioned) *Refusal {
	kinds := map[string]bool{}
	for _, k := range s.keys {
		kinds[k.version()] = true
	}
	for _, signature := range signatures {
		if kinds[signature.version] {
			return mismatch(header, len(s.keys))
		}
	}
	if kinds[versionHMAC] {
		return &Refusal{Mismatch, fmt.Sprintf("the signatures in %s are of ed25519 (v1a), and the secret is not", header), "verify them with the sender's public key: whpk_…"}
	}
	return &Refusal{Mismatch, fmt.Sprintf("the signatures in %s are of a shared secret (v1), and the key is that of ed25519", header), "verify them with the secret: whsec_…"}
}

func (k *standardKey) version() string {
	if k.public != nil {
		return versionEd25519
	}
	return versionHMAC
}

func (k *standardKey) matches(signed []byte, signatures []versioned) bool {
	found := false
	var want []byte
	if k.public == nil {
		want = k.sum(signed)
	}
	for _, s := range signatures {
		switch {
		case s.version != k.version():
		case k.public != nil:
			found = len(s.raw) == ed25519.SignatureSize && ed25519.Verify(k.public, signed, s.raw) || found
		default:
			found = hmac.Equal(s.raw, want) || found
		}
	}
	return found
}

func (k *standardKey) sum(signed []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write(signed)
	return mac.Sum(nil)
}

// versioned is one of the signatures of a request.
type versioned struct {
	version string
	raw     []byte
}

// parseStandard reads the signatures, v1,BASE64 or v1a,BASE64, with blanks between them. Other versions are ignored.
func parseStandard(header, text string) ([]versioned, *Refusal) {
	parts := strings.Fields(text)
	if len(parts) > maxSignatures {
		return nil, &Refusal{Malformed, fmt.Sprintf("there are more than %d signatures in %s", maxSignatures, header), ""}
	}
	var list []versioned
	for _, part := range parts {
		version, encoded, _ := strings.Cut(part, ",")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if (version == versionHMAC || version == versionEd25519) && err == nil && len(raw) > 0 {
			list = append(list, versioned{version, raw})
		}
	}
	if list == nil {
		return nil, &Refusal{Malformed, header + " has no signature of the version v1 or v1a", "it should be v1,BASE64"}
	}
	return list, nil
}

// message is what is signed.
func message(id, written string, body []byte) []byte {
	signed := make([]byte, 0, len(id)+len(written)+len(body)+2)
	signed = append(append(append(append(signed, id...), '.'), written...), '.')
	return append(signed, body...)
}

// sign puts no dot into the id: it ends there in what is signed.
func (s *standard) sign(id string, body []byte, now time.Time, header http.Header) {
	id = strings.ReplaceAll(id, ".", "~")
	written := strconv.FormatInt(now.Unix(), 10)
	signed := message(id, written, body)
	var signatures []string
	for i := range s.keys {
		raw := []byte(nil)
		switch k := &s.keys[i]; {
		case k.private != nil:
			raw = ed25519.Sign(k.private, signed)
		case k.public == nil:
			raw = k.sum(signed)
		default:
			continue
		}
		signatures = append(signatures, s.keys[i].version()+","+base64.StdEncoding.EncodeToString(raw))
	}
	header[webhookID], header[webhookTimestamp], header[webhookSignature] = []string{id}, []string{written}, []string{strings.Join(signatures, " ")}
}
