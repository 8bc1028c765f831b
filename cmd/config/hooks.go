package config

import (
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"strings"

	"evrun/cmd/config/settings"
	"evrun/cmd/config/yaml"
	"evrun/cmd/hook"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/signature"
)

// hookKeys are the keys of a hook.
type hookKeys struct {
	_       struct{}             `owner:"a hook"`
	Name    name                 `key:"name,required" other:"path,id" doc:"Its path is /hooks/NAME."`
	Verify  *signature.Verify    `key:"verify,required" other:"signature,secret,auth,sign" doc:"How a request shows that it is the sender's: {scheme: …, secret: …}, or none for anybody."`
	Type    computedType         `key:"type,required" scope:"hook" other:"emit,event" doc:"The type of the event. ${ … } sees the request: header(\"X\"), query(\"x\"), body, raw, method and name."`
	ID      *expression.Template `key:"id" scope:"hook" doc:"The event's id: a request with the id of an earlier one makes no second event. Default a new one, or for standard-webhooks the header webhook-id."`
	Source  *expression.Template `key:"source" scope:"hook" doc:"Where the event comes from. Default /hooks/NAME."`
	Subject *expression.Template `key:"subject" scope:"hook" doc:"What the event is about."`
	Time    *expression.Template `key:"time" scope:"hook" doc:"When it happened: RFC 3339, or seconds since 1970. Default when it is accepted."`
	Data    *expression.Value    `key:"data" scope:"hook" other:"payload" doc:"The data of the event. Default the body; of a form, a map of its fields."`
	When    condition            `key:"when" scope:"hook" other:"if,condition,filter,where" doc:"An expression: a request for which it is false is answered, and makes no event."`
	aboutKeys
	Allow     []settings.Network `key:"allow" min:"1" other:"cidr,ips,from,allow_ips" doc:"Addresses and networks that may send: [140.82.112.0/20]. Default all. See server.trusted_proxies."`
	Rate      rate               `key:"rate" doc:"So many requests with a right signature in each second, minute, hour or day: 100/s. More are answered with 429."`
	MaxBody   fields.Size        `key:"max_body" min:"1KiB" max:"32MiB" other:"max_size,limit" doc:"The largest body. Default what an event's data may have: server.max_event."`
	Answer    *answerKeys        `key:"answer" other:"response,reply,respond" doc:"What the sender gets. Default 202 with the event's id and number, and 204 if when is false."`
	Challenge []*challengeKeys   `key:"challenge,one" min:"1" other:"handshake,challenges,verification" doc:"How a sender's question is answered, before it sends events: a sender, or {method: GET, when: …, answer: …}, or a list."`

	Emit   misplaced `key:"emit,hidden" refused:"a hook has no \"emit\"" hint:"the type of its event is the key type"`
	Do     misplaced `key:"do,hidden" refused:"a hook has no \"do\"" hint:"it makes an event; a handler that is wired to it does something"`
	Secret misplaced `key:"secret,hidden" refused:"\"secret\" belongs in verify" hint:"write verify: {scheme: …, secret: …}"`
}

// answerKeys are what the sender of an accepted request gets.
type answerKeys struct {
	_      struct{}             `owner:"an answer"`
	Status int                  `key:"status" min:"200" max:"299" other:"code" doc:"The status. Default 200."`
	Body   *expression.Template `key:"body" scope:"hook" other:"text" doc:"The text. ${ … } sees the request."`
	Type   mediaType            `key:"type" other:"content_type" doc:"The media type of the text. Default text/plain."`
}

// challengeKeys are a question of a sender and its answer.
type challengeKeys struct {
	_        struct{}             `owner:"a challenge"`
	Sender   string               `key:"sender,short" enum:"slack,graph,dropbox,event-grid,cloudevents" doc:"A sender whose question is known; it needs no other key."`
	Method   string               `key:"method" enum:"GET,POST" default:"POST" doc:"The method of the question. A GET is answered without a signature."`
	Unsigned bool                 `key:"unsigned" doc:"true: a POST is answered without a signature, and without a look at the body."`
	When     condition            `key:"when" other:"if" doc:"An expression: what tells the question from an event. It sees the request, env() and file()."`
	Answer   *expression.Template `key:"answer" other:"body" doc:"The answer, at most 4 KiB. ${ … } sees the request, env() and file()."`
	Type     mediaType            `key:"type" other:"content_type" doc:"The media type of the answer. Default text/plain."`
}

// ScopeFor implements [fields.Scoped].
func (*challengeKeys) ScopeFor(_ string, given map[string]any) string {
	if given["method"] == "GET" || given["unsigned"] == true {
		return "hook handshake"
	}
	return "hook challenge"
}

// CheckFields checks that a challenge is complete.
func (k *challengeKeys) CheckFields(given map[string]any, at *fields.At) {
	if k.Sender != "" {
		for _, key := range []string{"method", "unsigned", "when", "answer", "type"} {
			if _, ok := given[key]; ok {
				at.Add(&fault.Fault{Path: []any{key}, Key: true, Message: fmt.Sprintf("%q doesn't go with a sender that is known", key), Hint: "leave it out, or the sender"})
			}
		}
		return
	}
	if at.Wrong() {
		return
	}
	for _, key := range []string{"when", "answer"} {
		if _, ok := given[key]; !ok {
			at.Fail(`write challenge: {method: GET, when: query("challenge") != nil, answer: '${ query("challenge") }'}, or a sender such as slack`, "needs the key %q", key)
			return
		}
	}
	if k.Unsigned && k.Method == http.MethodGet {
		at.Add(&fault.Fault{Path: []any{"unsigned"}, Key: true, Message: "a GET is answered without a signature anyway", Hint: "leave unsigned out"})
	}
}

// ExtendSchema adds that a challenge is of a sender, or written out.
func (*challengeKeys) ExtendSchema(s map[string]any) {
	s["anyOf"] = []any{map[string]any{"required": []any{"sender"}}, map[string]any{"required": []any{"when", "answer"}}}
}

// mediaType is that of an answer.
type mediaType string

func (m *mediaType) DecodeField(value any, at *fields.At) {
	s, ok := at.Text(value)
	if !ok {
		return
	}
	media, _, err := mime.ParseMediaType(s)
	switch {
	case err != nil || !strings.Contains(media, "/"):
		at.Refuse(fault.New("%s is not a media type", fault.Quote(s)).Hinting("write application/json, or text/plain"))
	case media == "text/html" || strings.Contains(media, "script") || strings.HasSuffix(media, "xml"):
		at.Refuse(fault.New("an answer can't be %s: a browser could run what a stranger sent", media).Hinting("write text/plain or application/json"))
	default:
		*m = mediaType(s)
	}
}

func (*mediaType) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string", "pattern": `^[^/\s]+/[^/\s]+`}}
}

// hooks reads the hooks of a file.
func (r *wiringReader) hooks(n *yaml.Node) (list []*hook.Hook) {
	r.sequence(n, "hooks", "begin each with a dash: - name: …", func(n *yaml.Node) {
		if h := r.hook(n); h != nil {
			h.Version = r.versionOf(effective(n)) + r.dirVersion()
			r.places[h] = n
			list = append(list, h)
		}
	})
	return list
}

// hook reads one hook; nil after a fault.
func (r *wiringReader) hook(n *yaml.Node) *hook.Hook {
	before := len(r.faults)
	var k hookKeys
	r.decode(n, &k, r)
	r.unique(n, "hook", string(k.Name))
	if len(r.faults) > before || broken(n) {
		return nil
	}
	h := &hook.Hook{
		Name: string(k.Name), Verify: k.Verify, Rate: k.Rate.Rate, Body: int(k.MaxBody), When: k.When.Expr, Type: k.Type.Template, ID: k.ID, Source: k.Source,
		Subject: k.Subject, Time: k.Time, Data: k.Data, Description: string(k.Description), Labels: k.Labels,
	}
	for _, p := range k.Allow {
		h.Allow = append(h.Allow, netip.Prefix(p))
	}
	if a := k.Answer; a != nil {
		h.Answer = &hook.Answer{Status: a.Status, Body: a.Body, Type: string(a.Type)}
	}
	for _, c := range k.Challenge {
		h.Challenges = append(h.Challenges, c.challenge())
	}
	k.Verify.Hide(r.secrets)
	for _, f := range h.Check() {
		r.report(n, f)
	}
	if typ, whole := h.Types(); whole && h.Data != nil {
		r.checkData(n, typ, h.Data)
	}
	if len(r.faults) > before {
		return nil
	}
	return h
}

func (k *challengeKeys) challenge() hook.Challenge {
	if k.Sender != "" {
		return hook.ChallengeOf(k.Sender)
	}
	return hook.Challenge{Method: k.Method, Unsigned: k.Unsigned, When: k.When.Expr, Answer: k.Answer, Type: string(k.Type)}
}
