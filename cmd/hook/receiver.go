package hook

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"evrun/cmd/api/limits"
	"evrun/events"
	"evrun/store"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/signature"
	"evrun/tasks/trace"
)

// Options are the parts of a Receiver.
type Options struct {
	Emit    func(context.Context, *events.Event) (store.Receipt, error)
	Closed  func() error                                                  // why nothing is accepted now; nil: it is
	Client  func(*http.Request) netip.Addr                                // the sender's address; the zero one: it is not known
	Receipt func(http.ResponseWriter, *events.Event, store.Receipt) error // the answer of hooks without one of their own
	Status  func(error) int                                               // of an error of Emit or Closed
	Redact  func(string) string                                           // removes secrets from a text
	MaxData int                                                           // the largest data of an event, in bytes
	Now     func() time.Time                                              // nil: time.Now
}

// Receiver answers requests to hooks. It is safe for concurrent use.
type Receiver struct {
	o       Options
	held    limits.Bodies
	working chan struct{} // one for each request whose expressions are being evaluated
	unknown atomic.Int64

	mu    sync.RWMutex
	hooks map[string]*state
	order []string
}

// state is a hook with what happened to it.
type state struct {
	hook   *Hook
	bucket *limits.Bucket
	*counts
}

// counts outlive a hook that is replaced by one with the same name.
type counts struct {
	accepted, duplicates, ignored, challenges atomic.Int64
	rejected                                  [16]atomic.Int64 // by the place in Reasons
	acceptedAt, rejectedAt                    atomic.Int64     // in microseconds; 0: never
	last                                      rejections
}

// NewReceiver makes a receiver without hooks.
func NewReceiver(o Options) *Receiver {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Receiver{o: o, held: limits.Bodies{Most: maxHeld, Share: maxShare}, working: make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))}
}

// Replace sets the hooks. What was counted and remembered of a hook stays with its name.
func (rc *Receiver) Replace(hooks []*Hook) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	was := rc.hooks
	rc.hooks, rc.order = make(map[string]*state, len(hooks)), nil
	for _, h := range hooks {
		s := &state{hook: h, bucket: limits.BucketOf(h.Rate), counts: &counts{}}
		if before := was[h.Name]; before != nil {
			s.counts = before.counts
			if before.hook.Rate == h.Rate {
				s.bucket = before.bucket
			}
		}
		rc.hooks[h.Name] = s
		rc.order = append(rc.order, h.Name)
	}
}

func (rc *Receiver) state(name string) *state {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	return rc.hooks[name]
}

// request is a request that has been read.
type request struct {
	header http.Header
	query  url.Values
	method string
	client netip.Addr
	body   *body
}

// Receive answers a request to the hook with a name. An error is a [*Refusal], or one of Emit or Closed; then nothing has been written.
func (rc *Receiver) Receive(w http.ResponseWriter, r *http.Request, name string) error {
	s := rc.state(name)
	if s == nil {
		rc.unknown.Add(1)
		return &Refusal{Status: http.StatusNotFound, Reason: Unknown, Detail: "no such path: " + r.URL.Path}
	}
	q := &request{header: r.Header, method: r.Method, client: rc.o.Client(r)}
	err := rc.receive(w, r, s, q)
	if err != nil {
		rc.reject(s, q, err)
	}
	return err
}

func (rc *Receiver) receive(w http.ResponseWriter, r *http.Request, s *state, q *request) error {
	if err := s.hook.allowed(q.client); err != nil {
		return err
	}
	if err := rc.o.Closed(); err != nil {
		return err
	}
	var wrong error
	if q.query, wrong = url.ParseQuery(r.URL.RawQuery); wrong != nil {
		return &Refusal{Status: http.StatusBadRequest, Reason: BadRequest, Detail: "the query of the url is not valid"}
	}
	if done, err := rc.before(w, s, q); done || err != nil {
		return err
	}
	release, err := rc.read(w, r, s.hook, q)
	if err != nil {
		return err
	}
	defer release()
	if err := rc.verify(s.hook, q); err != nil {
		return err
	}
	return rc.work(w, r, s, q)
}

// before answers what needs neither a body nor a signature: handshakes, and methods that are not allowed.
func (rc *Receiver) before(w http.ResponseWriter, s *state, q *request) (done bool, err error) {
	if q.method == http.MethodOptions && slices.ContainsFunc(s.hook.Challenges, func(c Challenge) bool { return c.Method == http.MethodOptions }) {
		if refusal := s.hook.handshake(w, q); refusal != nil {
			return false, refusal
		}
		s.challenges.Add(1)
		return true, nil
	}
	if slices.ContainsFunc(s.hook.Challenges, func(c Challenge) bool { return c.BeforeBody() && c.When != nil }) {
		if done, err = s.hook.challenged(w, q, q.env(s.hook), true); err != nil {
			return false, err
		}
	}
	switch {
	case done:
		s.challenges.Add(1)
		return true, nil
	case q.method != http.MethodPost:
		return false, &Refusal{Status: http.StatusMethodNotAllowed, Reason: Method, Detail: "a hook takes POST", Allow: "POST"}
	}
	return false, nil
}

// read reads the body.
func (rc *Receiver) read(w http.ResponseWriter, r *http.Request, h *Hook, q *request) (release func(), err error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &Refusal{Status: http.StatusUnsupportedMediaType, Reason: BadRequest, Detail: "a hook takes bodies without a Content-Encoding: the signature is that of the bytes that are sent"}
	}
	limit := int64(rc.o.MaxData)
	if h.Body > 0 {
		limit = int64(h.Body)
	}
	var raw []byte
	if r.ContentLength > limit {
		err = &http.MaxBytesError{Limit: limit}
	} else {
		held := rc.held.Reader(http.MaxBytesReader(w, r.Body, limit), q.client)
		release = held.Release
		raw, err = io.ReadAll(held)
	}
	tooLarge, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
		q.body = newBody(raw, r.Header)
		return release, nil
	case large:
		err = &Refusal{Status: http.StatusRequestEntityTooLarge, Reason: TooLarge, Detail: "the body has more than the hook takes", cause: tooLarge}
	case errors.Is(err, limits.ErrBodies):
		err = &Refusal{Status: http.StatusServiceUnavailable, Reason: Unavailable, Detail: "too many requests with large bodies: try again", Retry: time.Second, cause: err}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		err = &Refusal{Status: http.StatusBadRequest, Reason: BadRequest, Detail: "the body ends too early", cause: err}
	}
	if release != nil {
		release()
	}
	return nil, err
}

// verify checks the signature. A sender that is not known learns no more than that it is wrong.
func (rc *Receiver) verify(h *Hook, q *request) error {
	err := h.Verify.Verify(signature.Request{Header: q.header, Query: q.query, Body: q.body.raw}, rc.o.Now())
	if err == nil {
		return nil
	}
	if _, own := errors.AsType[*signature.SecretError](err); own {
		return &Refusal{Status: http.StatusServiceUnavailable, Reason: Secret, Detail: "requests can't be verified now: try again", Retry: time.Minute, cause: err}
	}
	return &Refusal{Status: http.StatusUnauthorized, Reason: Signature, Detail: "the request is not signed as it must be", cause: err}
}

// work does what a verified request asks for.
func (rc *Receiver) work(w http.ResponseWriter, r *http.Request, s *state, q *request) error {
	h := s.hook
	e, answer, done, err := rc.evaluate(w, r, s, q)
	switch {
	case err != nil:
		return err
	case done:
		s.challenges.Add(1)
		return nil
	case e == nil:
		s.ignored.Add(1)
		if h.Answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		h.Answer.write(w, answer)
		return nil
	}
	trace.FromRequest(q.header, e)
	receipt, err := rc.o.Emit(r.Context(), e)
	if err != nil {
		return err
	}
	s.acceptedAt.Store(rc.o.Now().UnixMicro())
	if receipt.Duplicate {
		s.duplicates.Add(1)
	} else {
		s.accepted.Add(1)
	}
	if h.Answer == nil {
		return rc.o.Receipt(w, e, receipt)
	}
	h.Answer.write(w, answer)
	return nil
}

// evaluate evaluates the expressions of a hook: of its challenges, its event, nil if it is ignored, and its answer. Only some requests do so at the
// same time: a decoded body takes up to 50 times the memory of its text.
func (rc *Receiver) evaluate(w http.ResponseWriter, r *http.Request, s *state, q *request) (e *events.Event, answer string, done bool, err error) {
	select {
	case rc.working <- struct{}{}:
		defer func() { <-rc.working }()
	case <-r.Context().Done():
		return nil, "", false, r.Context().Err()
	}
	env := q.env(s.hook)
	if done, err = s.hook.challenged(w, q, env, false); done || err != nil {
		return nil, "", done, err
	}
	if wait, ok := s.bucket.Take(1, rc.o.Now()); !ok {
		return nil, "", false, &Refusal{Status: http.StatusTooManyRequests, Reason: TooMany, Retry: wait, Detail: "the hook takes " + s.hook.Rate.String()}
	}
	if e, err = s.hook.event(env, q); err != nil {
		return nil, "", false, unusable(err)
	}
	if s.hook.Answer != nil && s.hook.Answer.Body != nil {
		if answer, err = s.hook.Answer.Body.Text(env); err != nil {
			return nil, "", false, unusable(err)
		}
	}
	return e, answer, false, nil
}

// env is the environment of the hook's expressions.
func (q *request) env(h *Hook) *expression.Env {
	of := &expression.Request{Header: q.header, Query: q.query, Method: q.method, Name: h.Name}
	if q.body != nil {
		of.Body, of.Raw = sync.OnceValues(q.body.value), string(q.body.raw)
	}
	env := expression.NewRequestEnv(of)
	env.Within(newBudget())
	return env
}

// unusable is the refusal of a request for which an expression can't be evaluated.
func unusable(err error) *Refusal {
	return &Refusal{Status: http.StatusUnprocessableEntity, Reason: BadRequest, Detail: err.Error()}
}

func (a *Answer) write(w http.ResponseWriter, text string) {
	status := cmp.Or(a.Status, http.StatusOK)
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	writeText(w, status, a.Type, text)
}

// reject counts and remembers a refused request.
func (rc *Receiver) reject(s *state, q *request, err error) {
	now := rc.o.Now()
	rejected := Rejection{At: now.UTC().Truncate(time.Microsecond), Hook: s.hook.Name, Method: q.method, Status: rc.o.Status(err), Detail: err.Error()}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		rejected.Reason, rejected.Detail, rejected.Status = refusal.Reason, refusal.text(), refusal.Status
	} else {
		rejected.Reason = reasonOf(rejected.Status)
	}
	if q.client.IsValid() {
		rejected.Client = q.client.String()
	}
	rejected.Detail = fault.Clip(rc.o.Redact(strings.ToValidUTF8(rejected.Detail, "\ufffd")), 1000)
	rejected.Headers = headersOf(q.header, s.hook.needs(), s.hook.Verify.Header, rc.o.Redact)
	s.rejected[slices.Index(Reasons, rejected.Reason)].Add(1)
	s.rejectedAt.Store(now.UnixMicro())
	s.last.add(&rejected)
}

// reasonOf is the reason of an event that was not accepted, by the status of the answer.
func reasonOf(status int) Reason {
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return TooLarge
	case status == http.StatusUnprocessableEntity:
		return Schema
	case status >= 500:
		return Unavailable
	}
	return BadRequest
}

var errSocket = errors.New("the sender's address is not known: the request came over the socket")
