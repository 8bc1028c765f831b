package settings

import (
	"time"

	"evrun/cmd/api/access"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// tokenKeys are the keys of a token that may send requests by TCP.
type tokenKeys struct {
	_       struct{}    `owner:"a token"`
	Name    tokenName   `key:"name,required" other:"id" doc:"Its name, for the audit trail and the log."`
	Hash    tokenHash   `key:"hash,required" other:"sha256,token,secret" doc:"The SHA-256 of the token: sha256: and 64 hexadecimal digits. evrun token create NAME --right read --hash makes both."`
	Rights  []right     `key:"rights,required,one" hint:"write rights: [read], or more of them" min:"1" other:"right,scopes,roles" doc:"What it allows: read; operate, which includes read; admin, which includes everything; emit, or emit and a pattern of types: emit github.>."`
	Expires *Instant    `key:"expires" other:"until,expires_at" doc:"When it ends: 2027-01-31T00:00:00Z. Without it, never."`
	Rate    *eventsRate `key:"rate" other:"limit,rate_limit" doc:"How many events it publishes at most: 100/s, 5/m. More are refused with 429 and a Retry-After."`
}

// CheckFields checks the rights together.
func (k *tokenKeys) CheckFields(_ map[string]any, at *fields.At) {
	if at.Wrong() {
		return
	}
	if _, f := access.ParseRights(k.rights()); f != nil {
		at.Add(f.Within("rights"))
	}
}

func (k *tokenKeys) rights() (texts []string) {
	for _, r := range k.Rights {
		texts = append(texts, string(r))
	}
	return texts
}

// CheckFields checks that no name and no hash of a token is given twice.
func (k *serverKeys) CheckFields(_ map[string]any, at *fields.At) {
	names, hashes := map[tokenName]bool{"": true}, map[tokenHash]bool{{}: true}
	for i, t := range k.Tokens {
		if t.Name != "" && names[t.Name] {
			at.Add(fault.At([]any{"tokens", i, "name"}, "there is another token %s", fault.Quote(string(t.Name))).Hinting("each needs a name of its own"))
		}
		if t.Hash != (tokenHash{}) && hashes[t.Hash] {
			at.Add(fault.At([]any{"tokens", i, "hash"}, "another token has this hash").Hinting("it is the same token: leave one out, or make another"))
		}
		names[t.Name], hashes[t.Hash] = true, true
	}
}

// Tokens are those of server.tokens. They belong to the wiring: a reload applies them.
func (k *Keys) Tokens() (list []access.Token) {
	for _, t := range k.Server.Tokens {
		token := access.Token{Name: string(t.Name), Hash: access.Hash(t.Hash)}
		token.Rights, _ = access.ParseRights(t.rights()) // checked
		if t.Expires != nil {
			token.Expires = t.Expires.Time
		}
		if t.Rate != nil {
			token.Rate = t.Rate.Rate
		}
		list = append(list, token)
	}
	return list
}

// tokenName is the name of a token.
type tokenName string

func (n *tokenName) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	if f := access.CheckName(text); f != nil {
		at.Add(f)
		return
	}
	*n = tokenName(text)
}

func (*tokenName) FieldShape() fields.Shape {
	s := fields.ScalarSchema()
	s["pattern"] = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
	return fields.Shape{Words: "text", Schema: s}
}

// tokenHash is the hash of a token.
type tokenHash access.Hash

func (h *tokenHash) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if !ok {
		return
	}
	sum, f := access.ParseHash(text)
	if f != nil {
		at.Refuse(f)
		return
	}
	*h = tokenHash(sum)
}

func (*tokenHash) FieldShape() fields.Shape {
	return fields.Shape{Words: "hash", Schema: map[string]any{"type": "string", "pattern": "^sha256:[0-9a-fA-F]{64}$"}}
}

// right is one right of a token.
type right string

func (r *right) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if !ok {
		return
	}
	if _, f := access.ParseRights([]string{text}); f != nil {
		f.Path = nil
		at.Add(f)
		return
	}
	*r = right(text)
}

func (*right) FieldShape() fields.Shape {
	return fields.Shape{Words: "right", Schema: map[string]any{"type": "string", "pattern": `^ *(read|operate|admin|emit( +[^ ]+)?) *$`}}
}

// eventsRate is how many events a token publishes at most.
type eventsRate struct{ tasks.Rate }

func (r *eventsRate) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	var f *fault.Fault
	if r.Rate, f = access.ParseRate(text); f != nil {
		at.Refuse(f)
	}
}

func (*eventsRate) FieldShape() fields.Shape {
	return fields.Shape{Words: "rate", Schema: map[string]any{"type": "string", "pattern": `^[1-9][0-9]{0,6}/[smhd]$`}}
}

// Instant is a time with its offset.
type Instant struct{ time.Time }

func (t *Instant) DecodeField(value any, at *fields.At) {
	s, ok := at.Scalar(value)
	if !ok {
		return
	}
	if t.Time, ok = events.ParseTime(s); ok {
		return
	}
	hint := "write date, time and offset: 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			hint = "write " + t.Format("2006-01-02T15:04:05") + "Z for UTC, or the offset from it, such as +01:00, in place of Z"
			break
		}
	}
	at.Refuse(fault.New("%s is not a valid time", fault.Quote(s)).Hinting("%s", hint))
}

func (*Instant) FieldShape() fields.Shape {
	return fields.Shape{Words: "time", Schema: map[string]any{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*(Z|[+-][0-9]{2}:[0-9]{2})$`}}
}
