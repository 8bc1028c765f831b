package reference

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/openapi"
	"evrun/events"
	"evrun/tasks/fields"
)

// routes is the page of the HTTP API, of what its routes declare.
func routes(Sources) (string, error) {
	var p page
	p.heading(1, "HTTP API")
	p.line("The requests that a daemon answers on its unix socket and, with `server.listen`, by TCP; all commands use them: publish events and read, follow and change what is stored, from any language.\n")
	p.code("sh", `curl --unix-socket evrun.sock http://evrun/v1/events/user.registered --json '{"name":"Ada","email":"ada@example.com"}'
curl --unix-socket evrun.sock http://evrun/v1/events -H 'Ce-Specversion: 1.0' -H 'Ce-Type: user.registered' -H 'Ce-Source: /shop' -H 'Ce-Id: 4711' \
  -H 'Content-Type: application/json' -d '{"name":"Ada","email":"ada@example.com"}'
curl --unix-socket evrun.sock 'http://evrun/v1/runs?state=dead&limit=10'
curl --unix-socket evrun.sock -N 'http://evrun/v1/stream?type=user.*'
curl --unix-socket evrun.sock http://evrun/v1/openapi.json`)
	p.line("\n`GET /v1/openapi.json` describes all of this as OpenAPI 3.1, for programs: it is made of the same declarations as this page and as the decoders of the daemon.\n")
	p.line("Answers are JSON with the shapes of [json.md](json.md). An error is a [problem](json.md#problem) (RFC 9457): 400 for a wrong request, 404 for what does not exist, 409 where its state")
	p.line("forbids it, 413 for a body, or data, that is too large, 415 for a body that can't be read as what it is, 422 for data that breaks the schema of its type, 429 and 503 when there is too much at once or evrun is stopping, 507 for a full disk; the last three mean: try again.")
	p.line("A parameter that does not exist, has a wrong value, or is given twice where it has one value, is a 400 that names it. A switch is `true` or `1`, `false` or `0`.\n")
	p.line("Who may use the socket is in [operations.md](operations.md#file-permissions). By TCP ([access.md](access.md)), a request needs a token with the right that its route names; `operate` includes `read`,")
	p.line("and `admin` all others.")
	for _, group := range api.Groups {
		p.heading(2, group.Title)
		for i, r := range group.Routes {
			if r.Doc == "" {
				return "", fmt.Errorf("%s of api.Groups has no Doc", r.Pattern)
			}
			if i > 0 {
				p.line("")
			}
			p.route(r)
		}
	}
	return p.String(), nil
}

func (p *page) route(r api.Route) {
	p.line("### %s\n", r.Pattern)
	p.line("%s\n", r.Doc)
	o := r.Operation()
	switch {
	case r.Right == access.Open:
		p.line("- Right: none, also by TCP")
	case r.Local:
		p.line("- Right: only for clients of the socket")
	default:
		p.line("- Right: `%s`", r.Right)
	}
	for name, doc := range o.Path {
		p.line("- `{%s}`: %s", name, doc)
	}
	if o.Query != nil {
		for _, f := range fields.Of(o.Query) {
			doc := f.Doc
			if f.Enum != nil {
				doc += " `" + strings.Join(f.Enum, "`, `") + "`."
			}
			if f.Default != "" {
				doc += " Default `" + f.Default + "`."
			}
			if f.Example != "" {
				doc += " Example: `" + f.Example + "`."
			}
			p.line("- `?%s`: %s", f.Name, doc)
		}
	}
	for _, h := range o.Headers {
		p.line("- `%s`: %s", h.Name, h.Doc)
	}
	for _, c := range o.Bodies {
		p.line("- Body `%s`: %s", c.Type, described(c))
	}
	var problems []string
	for _, a := range o.Answers {
		if len(a.Contents) == 1 && a.Contents[0].Type == openapi.Problem {
			problems = append(problems, fmt.Sprint(a.Status))
			continue
		}
		doc := a.Doc
		if doc == "" && a.Status != http.StatusOK {
			doc = http.StatusText(a.Status) + "."
		}
		for _, c := range a.Contents {
			typ := " `" + c.Type + "`"
			if c.Type == openapi.JSON {
				typ = ""
			}
			p.line("- Answer %d%s: %s", a.Status, typ, strings.TrimSpace(doc+" "+described(c)))
			doc = ""
		}
		for _, h := range a.Headers {
			p.line("- Header of the answer `%s`: %s", h.Name, h.Doc)
		}
	}
	p.line("- Problems: %s", strings.Join(problems, ", "))
}

// described says what a body is, with links to its shapes.
func described(c openapi.Content) string {
	var shapes []string
	for _, t := range c.Of {
		shapes = append(shapes, linked(t))
	}
	text := strings.Join(shapes, ", or ")
	if c.Lines && c.Type == openapi.NDJSON && text != "" {
		text = "lines, each: " + text
	}
	switch {
	case text == "":
		return c.Doc
	case c.Doc == "":
		return text
	}
	return strings.TrimSuffix(c.Doc, ".") + " (" + text + ")"
}

// linked names the shape of a type, with a link to it.
func linked(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[openapi.NewEvent](), t == reflect.TypeFor[events.Event]():
		return "[event](json.md#event)"
	case t.Kind() == reflect.Pointer:
		return linked(t.Elem())
	case t.Kind() == reflect.Slice:
		return "list of " + linked(t.Elem())
	case t.Kind() == reflect.Struct:
		return fmt.Sprintf("[%s](json.md%s)", nameOf(t), Anchor(nameOf(t)))
	}
	return "JSON"
}
