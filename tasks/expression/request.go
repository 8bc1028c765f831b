package expression

import (
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"unicode"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"
)

// Request is what the expressions of a hook see of a request.
type Request struct {
	Header http.Header
	Query  url.Values
	Body   func() (any, error) // decodes the body at its first use: of JSON or a form; a text if it is something else; nil: it is empty
	Raw    string              // the body as it came
	Method string
	Name   string // of the hook
}

// NewRequestEnv returns the environment of a hook.
func NewRequestEnv(r *Request) *Env { return &Env{seldom: &seldom{request: r}} }

// request returns the request of a hook's environment. Any other has an empty one.
func (env *Env) request() *Request {
	if env.seldom == nil || env.seldom.request == nil {
		return &Request{}
	}
	return env.seldom.request
}

// value returns the value of a name.
func (r *Request) value(name nameSet) (any, error) {
	switch name {
	case nameBody:
		if r.Body != nil {
			return r.Body()
		}
	case nameRaw:
		return r.Raw, nil
	case nameMethod:
		return r.Method, nil
	case nameName:
		return r.Name, nil
	}
	return nil, nil
}

// header is the function: the first value, nil if the request has none.
func (r *Request) header(name any) any {
	text, _ := name.(string)
	return first(r.Header[textproto.CanonicalMIMEHeaderKey(text)])
}

// query is the function.
func (r *Request) query(name any) any {
	text, _ := name.(string)
	return first(r.Query[text])
}

func first(values []string) any {
	if len(values) == 0 {
		return nil
	}
	return values[0]
}

// ofRequest reports whether the scope is that of a hook.
func (s Scope) ofRequest() bool { return s.names&(nameMethod|nameData) == nameMethod }

// requestTypes are the types of the names of a hook.
var requestTypes = sync.OnceValue(func() *Data {
	return &Data{config: newLanguage(types.Map{"body": types.Any, "raw": types.String, "method": types.String, "name": types.String})}
})

// part checks a call of header() or query(), and reports whether it is one: as with env(), the payload can't choose the name.
func (c *nameCheck) part(function string, n *ast.CallNode) bool {
	name := nameOf(function)
	if name&nameParts == 0 || c.scope.names&name == 0 {
		return false
	}
	example := `header("User-Agent")`
	if name == nameQuery {
		example = `query("page")`
	}
	if len(n.Arguments) != 1 {
		c.fault(n, function+"() takes one name", "write "+example)
		return true
	}
	text, ok := n.Arguments[0].(*ast.StringNode)
	switch {
	case !ok:
		c.faultAt(leftmost(n.Arguments[0]), fmt.Sprintf("the name in %s() can't be computed", function), "write it out, in quotes: "+example)
	case text.Value == "":
		c.fault(text, fmt.Sprintf("the name in %s() is empty", function), "write "+example)
	case name == nameHeader && !IsHeaderName(text.Value):
		c.fault(text, "this can't be the name of a header", "a name has letters, digits and dashes: "+example)
	case name == nameHeader && notKept[textproto.CanonicalMIMEHeaderKey(text.Value)] != "":
		c.fault(text, "header() does not have "+text.Value, notKept[textproto.CanonicalMIMEHeaderKey(text.Value)])
	}
	if ok && name == nameHeader {
		c.headers = append(c.headers, textproto.CanonicalMIMEHeaderKey(text.Value))
	}
	return true
}

// notKept are headers that a request has no longer when it is read.
var notKept = map[string]string{"Host": "a hook is reached by its name, whatever the host", "Transfer-Encoding": "raw has the body"}

// IsHeaderName reports whether a text has only what the name of a header can have (RFC 9110, 5.6.2).
func IsHeaderName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// Headers are the names that the text calls header() with.
func (t *Template) Headers() (names []string) {
	if t == nil {
		return nil
	}
	for i := range t.parts {
		if x := t.parts[i].expr; x != nil {
			names = append(names, x.Headers()...)
		}
	}
	return names
}

// Headers are the names that the expression calls header() with.
func (x *Expr) Headers() []string { return x.headers }

// inHook returns a hint for a name that hooks don't have, or not in all their expressions.
func (n nameSet) inHook(s Scope) string {
	known := `a hook's names are body, header("…"), query("…"), raw, method and name`
	if s.names&nameBody == 0 {
		known = `here a hook's names are header("…"), query("…"), method and name`
	}
	switch n {
	case nameBody, nameRaw:
		return "a challenge that nobody has signed is answered without a look at the body"
	case nameData, nameEvent, nameItem, nameEvents:
		return "the event is yet to be made: " + known
	case nameNow:
		return "the event has the time of its acceptance"
	case nameUUID:
		return "the id of an event is unique if it is left out"
	case nameEnv, nameFile:
		return fmt.Sprintf("%s() is known in verify and challenge: what else a hook makes of a request may be shown", n)
	}
	return known
}
