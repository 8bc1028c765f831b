package handlers

import (
	"context"
	"strings"
	"testing"
)

const (
	traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	anotherOne  = "00-11111111111111111111111111111111-2222222222222222-01"
)

func TestACommandGetsTheTraceInItsEnvironment(t *testing.T) {
	t.Setenv("TRACEPARENT", anotherOne)
	for name, c := range map[string]struct {
		with       map[string]any
		extensions map[string]any
		want, not  []string
	}{
		"none":            {nil, nil, nil, []string{"TRACE"}},
		"the event's":     {nil, map[string]any{"traceparent": traceparent, "tracestate": "a=1,b=2"}, []string{"TRACEPARENT=" + traceparent, "TRACESTATE=a=1,b=2"}, nil},
		"without a state": {nil, map[string]any{"traceparent": traceparent}, []string{"TRACEPARENT=" + traceparent}, []string{"TRACESTATE"}},
		"env has another": {map[string]any{"env": map[string]any{"TRACEPARENT": "mine"}}, map[string]any{"traceparent": traceparent, "tracestate": "a=1"},
			[]string{"TRACEPARENT=mine"}, []string{"TRACESTATE"}},
		"it is passed": {map[string]any{"pass_env": []any{"TRACEPARENT"}}, map[string]any{"traceparent": traceparent, "tracestate": "a=1"},
			[]string{"TRACEPARENT=" + anotherOne}, []string{"TRACESTATE"}},
	} {
		with := map[string]any{"command": []any{"/usr/bin/env"}}
		for k, v := range c.with {
			with[k] = v
		}
		d := delivery(`{}`)
		d.Event.Extensions = c.extensions
		out, err := build[*command](t, "exec", with, Deps{}).Do(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains("\n"+out.(string)+"\n", "\n"+want+"\n") {
				t.Errorf("%s: %q is not in %s", name, want, out)
			}
		}
		for _, not := range c.not {
			if strings.Contains(out.(string), not) {
				t.Errorf("%s: %q is in %s", name, not, out)
			}
		}
	}
}

func TestARequestHasTheTraceInItsHeaders(t *testing.T) {
	server, got := recorder(t, nil)
	for i, c := range []struct {
		with          map[string]any
		extensions    map[string]any
		parent, state string
	}{
		{nil, nil, "", ""},
		{nil, map[string]any{"traceparent": traceparent, "tracestate": "a=1"}, traceparent, "a=1"},
		{map[string]any{"method": "GET"}, map[string]any{"traceparent": traceparent}, traceparent, ""},
		{map[string]any{"headers": map[string]any{"traceparent": anotherOne}}, map[string]any{"traceparent": traceparent, "tracestate": "a=1"}, anotherOne, ""},
	} {
		with := map[string]any{"url": server.URL}
		for k, v := range c.with {
			with[k] = v
		}
		d := delivery(`{}`)
		d.Event.Extensions = c.extensions
		if _, err := request(t, with, Deps{}).Do(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		h := got()[0].header
		if h.Get("traceparent") != c.parent || h.Get("tracestate") != c.state {
			t.Errorf("%d: %v", i, h)
		}
		if own, _ := c.extensions["traceparent"].(string); with["method"] == nil && h.Get("Ce-Traceparent") != own {
			t.Errorf("%d: the event's attribute became %q", i, h.Get("Ce-Traceparent"))
		}
	}
}
