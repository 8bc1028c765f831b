package client

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/openapi"
	"evrun/events"
	"evrun/tasks/search"
)

// described is a server that answers nothing, and checks that the description of the API has each route, parameter, header and media type which
// a request uses.
type described struct {
	t    *testing.T
	mux  *http.ServeMux
	mu   sync.Mutex
	asks map[string]bool // by mu: the patterns that were asked
}

// general are headers of HTTP itself, which no operation describes.
var general = []string{"Accept", "Accept-Encoding", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "User-Agent"}

func (d *described) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, pattern := d.mux.Handler(r)
	i := slices.IndexFunc(api.Operations(), func(o openapi.Operation) bool { return o.Pattern == pattern })
	if i < 0 {
		d.t.Errorf("%s %s is not a route", r.Method, r.URL.Path)
		return
	}
	d.mu.Lock()
	d.asks[pattern] = true
	d.mu.Unlock()
	o := api.Operations()[i]
	query, headers := o.Parameters()
	for name := range r.URL.Query() {
		if !slices.Contains(query, name) {
			d.t.Errorf("%s has no parameter %s: %s", pattern, name, r.URL)
		}
	}
	if slices.Contains(headers, api.RunTokenHeader) && r.Header.Get(api.RunTokenHeader) == "" {
		d.t.Errorf("%s is asked without the run that it publishes for", pattern)
	}
	for name := range r.Header {
		if !slices.Contains(general, name) && !slices.Contains(headers, name) {
			d.t.Errorf("%s has no header %s", pattern, name)
		}
	}
	sent := r.Header.Get("Content-Type")
	if sent != "" && !slices.ContainsFunc(o.Bodies, func(c openapi.Content) bool { return c.Type == sent }) {
		d.t.Errorf("%s takes no body of the type %s", pattern, sent)
	}
	accept, _, _ := strings.Cut(r.Header.Get("Accept"), ";")
	if accept != "" && !slices.ContainsFunc(o.Answers, func(a openapi.Answer) bool {
		return slices.ContainsFunc(a.Contents, func(c openapi.Content) bool { return c.Type == accept })
	}) {
		d.t.Errorf("%s has no answer of the type %s", pattern, accept)
	}
	_, _ = io.WriteString(w, "{}\n")
}

// filled is a value of a type with something in all of its parts; yes and number are the values of switches and numbers.
func filled(t reflect.Type, yes bool, number int64) reflect.Value {
	v := reflect.New(t).Elem()
	switch t {
	case reflect.TypeFor[context.Context]():
		return reflect.ValueOf(context.Background())
	case reflect.TypeFor[io.Reader]():
		return reflect.ValueOf(strings.NewReader(`{"type":"a.b"}` + "\n"))
	case reflect.TypeFor[io.WriteCloser]():
		return v
	case reflect.TypeFor[time.Time]():
		if number == 0 {
			return v
		}
		return reflect.ValueOf(time.Now())
	case reflect.TypeFor[*events.Event]():
		return reflect.ValueOf(&events.Event{ID: "1", Source: "/t", Type: "a.b", Time: time.Now(), Sequence: 1})
	}
	if t == reflect.TypeFor[search.Selection]() && number > 0 { // what events have, too
		sel := search.Selection{Types: []string{"a.b"}, Source: "/t", Since: time.Now(), Where: "true", Chain: "1"}
		if yes { // what streams don't have
			sel.Until, sel.Event = time.Now(), "1"
		}
		return reflect.ValueOf(sel)
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(yes)
	case reflect.Int, reflect.Int64:
		v.SetInt(number)
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(filled(t.Elem(), yes, number))
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.Append(v, filled(t.Elem(), yes, number)))
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if v.Field(i).CanSet() {
				v.Field(i).Set(filled(t.Field(i).Type, yes, number))
			}
		}
	case reflect.Func:
		if t.NumIn() == 0 && t.NumOut() == 1 && t.Out(0).Kind() == reflect.Interface && t.Out(0) != reflect.TypeFor[error]() {
			return v // opens something
		}
		v.Set(reflect.MakeFunc(t, func([]reflect.Value) (out []reflect.Value) {
			for i := range t.NumOut() {
				out = append(out, reflect.Zero(t.Out(i)))
			}
			return out
		}))
	}
	return v
}

// Whatever the methods of the client are asked, they use no route, parameter, header or media type that the description of the API lacks.
func TestTheClientAsksOnlyWhatIsDescribed(t *testing.T) {
	server := &described{t: t, mux: http.NewServeMux(), asks: map[string]bool{}}
	for _, o := range api.Operations() {
		server.mux.Handle(o.Pattern, http.NotFoundHandler())
	}
	c := InProcess(server)
	c.RunToken, c.RunEnded = "token", func() {}
	methods := reflect.ValueOf(c)
	for i := range methods.NumMethod() {
		name, method := methods.Type().Method(i).Name, methods.Method(i)
		if name == "CloseIdleConnections" || name == "SendLines" { // EmitLines is SendLines on a reader
			continue
		}
		for _, yes := range []bool{false, true} {
			for _, number := range []int64{0, int64(3 * time.Second)} {
				var args []reflect.Value
				for j := range method.Type().NumIn() {
					args = append(args, filled(method.Type().In(j), yes, number))
				}
				method.Call(args) // it may fail: the answer is not a real one
			}
		}
	}
	if len(server.asks) < 30 {
		t.Errorf("only %d routes were asked: %v", len(server.asks), server.asks)
	}
}

// The commands ask the daemon through the client, and know no routes themselves.
func TestCommandsKnowNoRoutes(t *testing.T) {
	route := regexp.MustCompile(`"(GET |POST )?/v1/`)
	err := filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && filepath.Base(path) == "api":
			return filepath.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if at := route.FindIndex(text); at != nil {
			t.Errorf("%s has a route: %s", path, text[at[0]:min(len(text), at[0]+40)])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
