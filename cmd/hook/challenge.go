package hook

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// Challenge answers a request by which a sender asks whether the hook is one, before it sends what happens.
type Challenge struct {
	Method   string // GET, POST, or OPTIONS for that of CloudEvents
	Unsigned bool   // a POST that the sender does not sign. A GET is never signed
	When     *expression.Expr
	Answer   *expression.Template
	Type     string // the media type; empty: plain text
	Lenient  bool   // a request for which When can't be evaluated is not the challenge
}

// maxChallenge bounds an answer: it is a text of somebody who may be a stranger.
const maxChallenge = 4 << 10

// senders are the challenges of senders by their names: the keys that anybody could write.
var senders = map[string]struct {
	method, when, answer, media string
	unsigned                    bool
}{
	"slack":       {method: "POST", when: `(body?.type ?? "") == "url_verification"`, answer: "${ body.challenge }"},
	"graph":       {method: "POST", when: `query("validationToken") != nil`, answer: `${ query("validationToken") }`, unsigned: true},
	"dropbox":     {method: "GET", when: `query("challenge") != nil`, answer: `${ query("challenge") }`},
	"event-grid":  {method: "POST", when: `header("Aeg-Event-Type") == "SubscriptionValidation"`, answer: `${ {"validationResponse": body[0].data.validationCode} }`, media: "application/json"},
	"cloudevents": {method: "OPTIONS"},
}

// ChallengeOf returns the challenge of a sender.
func ChallengeOf(sender string) Challenge {
	s := senders[sender]
	c := Challenge{Method: s.method, Unsigned: s.unsigned, Type: s.media, Lenient: true}
	if s.when == "" {
		return c
	}
	scope := expression.HookChallenge
	if c.BeforeBody() {
		scope = expression.HookHandshake
	}
	var err error
	if c.When, err = expression.Compile(s.when, scope.Condition()); err == nil {
		c.Answer, err = expression.CompileTemplate(s.answer, scope)
	}
	if err != nil {
		panic(err) // a defect of the table
	}
	return c
}

// BeforeBody reports whether the challenge is answered without a signature, and so without a look at the body.
func (c *Challenge) BeforeBody() bool { return c.Unsigned || c.Method != http.MethodPost }

// answer returns the text for a request; ok is false if it is not the challenge.
func (c *Challenge) answer(env *expression.Env) (text string, ok bool, err error) {
	if ok, err = c.When.Bool(env); err != nil || !ok {
		if c.Lenient {
			err = nil
		}
		return "", false, err
	}
	if text, err = c.Answer.Text(env); err != nil {
		return "", false, err
	}
	if len(text) > maxChallenge {
		return "", false, fault.New("the answer has %d bytes, and the most is %d", len(text), maxChallenge)
	}
	return text, true, nil
}

// challenged answers the request if it is one of the hook's challenges that are, or are not, answered without a signature.
func (h *Hook) challenged(w http.ResponseWriter, q *request, env *expression.Env, beforeBody bool) (done bool, err error) {
	for i := range h.Challenges {
		c := &h.Challenges[i]
		if c.Method != q.method && (c.Method != http.MethodGet || q.method != http.MethodHead) || c.BeforeBody() != beforeBody {
			continue
		}
		text, ok, err := c.answer(env)
		if err != nil {
			return false, &Refusal{Status: http.StatusUnprocessableEntity, Reason: BadRequest, Detail: "the challenge can't be answered", cause: fmt.Errorf("challenge: %w", err)}
		}
		if ok {
			writeText(w, http.StatusOK, c.Type, text)
			return true, nil
		}
	}
	return false, nil
}

// handshake answers the OPTIONS request of CloudEvents' webhooks (HTTP 1.1 Web Hooks for Event Delivery, 4): it allows the sender to send, at the hook's rate.
func (h *Hook) handshake(w http.ResponseWriter, q *request) *Refusal {
	origin := q.header.Get("WebHook-Request-Origin")
	if origin == "" || len(origin) > 253 || strings.Trim(origin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-*") != "" {
		return &Refusal{Status: http.StatusBadRequest, Reason: BadRequest, Detail: "the handshake needs the header WebHook-Request-Origin, with the sender's name"}
	}
	w.Header().Set("WebHook-Allowed-Origin", origin)
	w.Header().Set("WebHook-Allowed-Rate", "*")
	if h.Rate.Count > 0 {
		w.Header().Set("WebHook-Allowed-Rate", fmt.Sprint(max(1, int(float64(h.Rate.Count)*float64(time.Minute)/float64(h.Rate.Per)))))
	}
	w.Header().Set("Allow", "OPTIONS, POST")
	w.WriteHeader(http.StatusOK)
	return nil
}

// writeText answers with a text that a browser takes for nothing else.
func writeText(w http.ResponseWriter, status int, media, text string) {
	h := w.Header()
	h.Set("Content-Type", cmp.Or(media, "text/plain; charset=utf-8"))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // if it fails, the sender is gone
}
