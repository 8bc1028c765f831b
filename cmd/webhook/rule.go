package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"

	"evrun/cmd/foreign"
)

// rule is a trigger rule: one of a list of rules that must all hold, or one of which must, a rule that must not, or a match.
type rule struct {
	line  int
	kind  string // and, or, not, match; empty: nothing, which never holds
	rules []*rule
	match match
}

// match is a rule about a value, the body's signature or the sender's address.
type match struct {
	kind, value, regex, secret, ranges string
	parameter                          argument
}

// hash returns the scheme of a rule about the body's signature; empty for another rule.
func (r *rule) hash() string {
	if r.kind != "match" {
		return ""
	}
	for _, prefix := range []string{"payload-hmac-", "payload-hash-"} {
		if hash, is := strings.CutPrefix(r.match.kind, prefix); is {
			return "hmac-" + hash
		}
	}
	return ""
}

// all returns the rules that must all hold.
func (r *rule) all() (list []*rule) {
	if r.kind != "and" {
		return []*rule{r}
	}
	for _, inner := range r.rules {
		list = append(list, inner.all()...)
	}
	return list
}

// any returns the rules of which one must hold.
func (r *rule) any() (list []*rule) {
	if r.kind != "or" {
		return []*rule{r}
	}
	for _, inner := range r.rules {
		list = append(list, inner.any()...)
	}
	return list
}

// every reports whether there are rules, and what is said of each of them.
func every(list []*rule, is func(*rule) bool) bool {
	for _, r := range list {
		if !is(r) {
			return false
		}
	}
	return len(list) > 0
}

// condition is what a rule is for the hook.
func (h *hook) condition(r *rule) error {
	var rest []*rule
	for _, one := range r.all() {
		among := one.any()
		switch {
		case every(among, func(r *rule) bool { return r.hash() != "" }):
			if err := h.signature(among); err != nil {
				return err
			}
		case every(among, func(r *rule) bool { return r.kind == "match" && r.match.kind == "ip-whitelist" }):
			if err := h.addresses(among); err != nil {
				return err
			}
		default:
			rest = append(rest, one)
		}
	}
	var texts []string
	v := ofHook(h)
	for _, one := range rest {
		if h.scheme == "" && h.token(one.any()) {
			continue
		}
		holds, wrong, err := v.holds(one)
		if err != nil {
			return fmt.Errorf("line %d: %w", one.line, err)
		}
		if r.kind == "and" {
			holds = both(holds, negated(wrong))
		}
		texts = append(texts, holds)
	}
	h.when = conjunction(texts)
	if h.when == "false" {
		return errors.New("its rule never holds")
	}
	return nil
}

// signature takes a signature of the body, by one of several secrets.
func (h *hook) signature(among []*rule) error {
	first := among[0]
	p := first.match.parameter
	switch {
	case h.scheme != "":
		return fmt.Errorf("line %d: evrun checks one signature, and there are two", first.line)
	case !every(among, func(r *rule) bool {
		return r.hash() == first.hash() && r.match.parameter.name == p.name && r.match.parameter.source == p.source
	}):
		return fmt.Errorf("line %d: evrun checks one signature, and this is one of several", first.line)
	case p.source != "header":
		return fmt.Errorf("line %d: evrun looks for a signature in a header only", first.line)
	}
	name, err := plain(p.name)
	if err != nil {
		return fmt.Errorf("line %d: %w", first.line, err)
	}
	h.scheme, h.header = first.hash(), name
	if strings.HasPrefix(strings.ToLower(name), "x-hub-signature") { // others have none: those of Gogs, Gitea and so on
		h.prefix = strings.TrimPrefix(h.scheme, "hmac-") + "="
	}
	for _, r := range among {
		if isTemplate(r.match.secret) {
			return fmt.Errorf("line %d: %w", r.line, errTemplate)
		}
		h.secrets = append(h.secrets, wired(r.match.secret))
	}
	return nil
}

// addresses takes the addresses that may send.
func (h *hook) addresses(among []*rule) error {
	if h.allow != nil {
		return fmt.Errorf("line %d: evrun has one list of addresses, and there are two that must both have the sender's", among[0].line)
	}
	for _, r := range among {
		for _, text := range strings.Fields(r.match.ranges) {
			if a, err := netip.ParseAddr(text); err == nil {
				h.allow = append(h.allow, a.Unmap().String())
				continue
			}
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return fmt.Errorf("line %d: %q is not an address", r.line, text)
			}
			h.allow = append(h.allow, p.Masked().String())
		}
	}
	if h.allow == nil {
		return fmt.Errorf("line %d: it has no address", among[0].line)
	}
	return nil
}

var looksSecret = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)token|secret|key|auth|pass|sign|credential`)
})

// token takes a value of a header or of the query for the secret, if it looks like one.
func (h *hook) token(among []*rule) bool {
	if len(among) == 0 {
		return false
	}
	p := among[0].match.parameter
	if p.source != "header" && p.source != "url" && p.source != "query" || !looksSecret().MatchString(p.name) || strings.ContainsRune(p.name, markBegin) {
		return false
	}
	if !every(among, func(r *rule) bool {
		m := r.match
		return r.kind == "match" && m.kind == "value" && m.value != "" && m.value == strings.TrimSpace(m.value) && !isTemplate(m.value) &&
			sameSource(m.parameter.source, p.source) && m.parameter.name == p.name
	}) {
		return false
	}
	bearer := strings.EqualFold(p.name, "authorization") && every(among, func(r *rule) bool { return strings.HasPrefix(r.match.value, "Bearer ") && len(r.match.value) > 7 })
	h.scheme, h.secrets = "token", nil
	for _, r := range among {
		text := r.match.value
		if bearer {
			text = text[len("Bearer "):]
		}
		h.secrets = append(h.secrets, wired(text))
	}
	switch {
	case p.source != "header":
		h.query = p.name
	case bearer:
	default:
		h.header, h.bare = p.name, strings.EqualFold(p.name, "authorization")
	}
	return true
}

// holds returns two expressions: whether a rule holds, and whether webhook gives up because a value is missing. That ends a list of rules which must all
// hold, and the rule around it, but not a list of which one must hold.
func (v *values) holds(r *rule) (holds, wrong string, err error) {
	switch r.kind {
	case "and":
		texts, wrongs, before := []string{}, []string{}, []string{}
		for _, inner := range r.rules {
			h, w, err := v.holds(inner)
			if err != nil {
				return "", "", err
			}
			if w != "false" {
				wrongs = append(wrongs, conjunction(append(before[:len(before):len(before)], w)))
			}
			texts = append(texts, both(h, negated(w)))
			before = append(before, both(h, negated(w)))
		}
		return conjunction(texts), disjunction(wrongs), nil
	case "or":
		var texts []string
		for _, inner := range r.rules {
			h, _, err := v.holds(inner)
			if err != nil {
				return "", "", err
			}
			texts = append(texts, h)
		}
		return disjunction(texts), "false", nil
	case "not":
		if len(r.rules) != 1 {
			return "", "", errors.New("not has no rule")
		}
		h, w, err := v.holds(r.rules[0])
		return negated(h), w, err
	case "match":
		return v.compare(&r.match)
	}
	return "false", "false", nil
}

// compare returns the expressions of a match.
func (v *values) compare(m *match) (holds, wrong string, err error) {
	switch {
	case m.kind == "ip-whitelist":
		return "", "", errors.New("evrun checks addresses for the hook as a whole: allow")
	case m.kind != "value" && m.kind != "regex":
		return "", "", fmt.Errorf("evrun can't check %q here", m.kind)
	case m.parameter.source == "string":
		return "", "", errors.New("the value is always the same")
	}
	x, err := v.expression(&m.parameter)
	if err != nil {
		return "", "", err
	}
	for _, text := range []string{m.value, m.regex} {
		if _, err := plain(text); err != nil {
			return "", "", err
		}
	}
	wrong = x + " == nil"
	if m.parameter.source == "request" || m.parameter.source == "raw-request-body" {
		wrong = "false"
	}
	switch {
	case m.kind == "regex" && wrong == "false":
		return x + " matches " + foreign.Quoted(m.regex), wrong, nil
	case m.kind == "regex":
		return "(" + x + " != nil and string(" + x + ") matches " + foreign.Quoted(m.regex) + ")", wrong, nil
	case otherText().MatchString(m.value):
		return "string(" + x + ") == " + foreign.Quoted(m.value), wrong, nil
	}
	return x + " == " + foreign.Quoted(m.value), wrong, nil
}

// otherText matches the texts of values that are not texts.
var otherText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(-?[0-9].*|true|false|[\[{].*)$`) })

// both is the conjunction of a condition and of its negated failure. What holds has no missing value, unless it is the negation of something.
func both(holds, notWrong string) string {
	if notWrong == "true" || !strings.HasPrefix(holds, "not (") {
		return holds
	}
	return conjunction([]string{notWrong, holds})
}

func negated(x string) string {
	switch {
	case x == "false":
		return "true"
	case x == "true":
		return "false"
	case strings.HasSuffix(x, " == nil") && !strings.ContainsAny(x, "()\"") && strings.Count(x, " ") == 2:
		return strings.TrimSuffix(x, " == nil") + " != nil"
	}
	return "not (" + x + ")"
}

func conjunction(list []string) string { return joined(list, "and", "true", "false") }

func disjunction(list []string) string { return joined(list, "or", "false", "true") }

// joined joins conditions. None has the effect of neutral; one that is final decides alone.
func joined(list []string, word, neutral, final string) string {
	var parts []string
	for _, x := range list {
		switch x {
		case neutral:
			continue
		case final:
			return final
		}
		parts = append(parts, x)
	}
	switch len(parts) {
	case 0:
		return neutral
	case 1:
		return parts[0]
	}
	for i, x := range parts {
		if strings.Contains(x, " or ") || strings.Contains(x, " and ") && word == "or" {
			if !enclosed(x) {
				parts[i] = "(" + x + ")"
			}
		}
	}
	return strings.Join(parts, " "+word+" ")
}

// enclosed reports whether an expression is in parentheses as a whole.
func enclosed(x string) bool {
	if !strings.HasPrefix(x, "(") || !strings.HasSuffix(x, ")") {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(x); i++ {
		switch c := x[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 && i < len(x)-1 {
				return false
			}
		}
	}
	return true
}

// writeVerify returns the value of verify.
func (h *hook) writeVerify() string {
	if h.scheme == "" {
		return "none"
	}
	parts := []string{"scheme: " + h.scheme}
	for _, k := range []struct{ name, value string }{{"header", h.header}, {"query", h.query}, {"prefix", h.prefix}} {
		if k.value != "" || k.name == "prefix" && h.bare {
			parts = append(parts, k.name+": "+foreign.Scalar(k.value))
		}
	}
	secrets := make([]string, len(h.secrets))
	for i, s := range h.secrets {
		secrets[i] = foreign.Scalar(s)
	}
	secret := secrets[0]
	if len(secrets) > 1 {
		secret = "[" + strings.Join(secrets, ", ") + "]"
	}
	return "{" + strings.Join(append(parts, "secret: "+secret), ", ") + "}"
}
