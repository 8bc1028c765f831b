package signature

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Reason is why a request is refused, in one word.
type Reason string

// The reasons.
const (
	Missing   Reason = "missing"   // it has no signature
	Malformed Reason = "malformed" // it has something else in place of one
	Mismatch  Reason = "mismatch"  // nobody who knows the secret has signed this
	TooOld    Reason = "too-old"   // the signature is right, and its time is too long ago
	TooNew    Reason = "too-new"   // the signature is right, and its time is in the future
)

// Refusal is why a request is not accepted. Its text is for the operator; it has no secret, and nothing that the sender wrote.
type Refusal struct {
	Reason  Reason
	Message string
	Hint    string // what to do about it; may be empty
}

func (r *Refusal) Error() string {
	if r.Hint == "" {
		return r.Message
	}
	return r.Message + "; " + r.Hint
}

// maxSignatures bounds the signatures of a request, and so the work for it.
const maxSignatures = 16

// one returns the only value of a header.
func one(r Request, name string) (string, *Refusal) {
	switch values := r.Header[name]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", &Refusal{Missing, "the request has no header " + name, otherwise(r.Header, name)}
	case len(values) > 1:
		return "", &Refusal{Malformed, "the request has the header " + name + " more than once", ""}
	default:
		return values[0], nil
	}
}

// cutBeginning is [strings.CutPrefix] without regard to case.
func cutBeginning(text, begins string) (rest string, found bool) {
	if len(text) < len(begins) || !strings.EqualFold(text[:len(begins)], begins) {
		return text, false
	}
	return text[len(begins):], true
}

// known are the headers in which senders sign, and what verifies them.
var known = []struct{ header, begins, is, verify string }{
	{"Webhook-Signature", "", "", "{scheme: standard-webhooks, …}"},
	{"Svix-Signature", "", "", "{scheme: standard-webhooks, …}"},
	{"X-Hub-Signature-256", "sha256=", "", `{scheme: hmac-sha256, header: X-Hub-Signature-256, prefix: "sha256=", …}`},
	{"X-Hub-Signature", "sha1=", "", `{scheme: hmac-sha1, header: X-Hub-Signature, prefix: "sha1=", …}`},
	{"Stripe-Signature", "", "", "{scheme: stripe, …}"},
	{"X-Slack-Signature", "", "", "{scheme: slack, …}"},
	{"X-Gitlab-Token", "", "", "{scheme: token, header: X-Gitlab-Token, …}"},
	{"X-Grafana-Alerting-Signature", "", "", "{scheme: hmac-sha256, header: X-Grafana-Alerting-Signature, …}"},
	{"Authorization", "bearer ", " with a bearer token", "{scheme: token, …}"},
	{"Authorization", "basic ", " with a user and a password", "{scheme: basic, …}"},
}

// otherwise is a hint to the signature that a request has in place of the one in a header.
func otherwise(header http.Header, missing string) string {
	for _, k := range known {
		value := header.Get(k.header)
		if _, begins := cutBeginning(value, k.begins); begins && value != "" && k.header != missing {
			return fmt.Sprintf("it has %s%s, for verify: %s", k.header, k.is, k.verify)
		}
	}
	return "was the sender told to sign, or to send the secret?"
}

// mismatch is the refusal of a signature that no secret made.
func mismatch(header string, secrets int) *Refusal {
	hint := "is the secret the same at the sender, and does nothing in between change the body?"
	if secrets > 1 {
		hint = fmt.Sprintf("is one of the %d secrets the sender's, and does nothing in between change the body?", secrets)
	}
	return &Refusal{Mismatch, "the signature in " + header + " does not match", hint}
}

// maxTime is the number of digits of a time: seconds since 1970, and no milliseconds.
const maxTime = 11

// parseTime reads the seconds since 1970 in a header.
func parseTime(header, text string) (time.Time, *Refusal) {
	seconds, err := strconv.ParseUint(text, 10, 63)
	switch {
	case err == nil && len(text) > maxTime:
		return time.Time{}, &Refusal{Malformed, "the time in " + header + " has too many digits", "it is in seconds since 1970"}
	case err != nil:
		return time.Time{}, &Refusal{Malformed, "the time in " + header + " is not a number of seconds since 1970", ""}
	}
	return time.Unix(int64(seconds), 0), nil
}

// checkTime refuses a signature whose time is too far from now.
func checkTime(at, now time.Time, tolerance time.Duration) *Refusal {
	switch age := now.Sub(at); {
	case age > tolerance:
		return &Refusal{TooOld, fmt.Sprintf("the signature is right, but %s old; the tolerance is %s", rough(age), tolerance),
			"was the request held up or sent again, or is the clock of this machine wrong?"}
	case -age > tolerance:
		return &Refusal{TooNew, fmt.Sprintf("the signature is right, but its time is %s ahead; the tolerance is %s", rough(-age), tolerance),
			"is the clock of this machine wrong, or that of the sender?"}
	}
	return nil
}

// rough rounds a duration for people.
func rough(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.Round(time.Second).String()
}
