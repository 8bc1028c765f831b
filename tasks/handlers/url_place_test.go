package handlers

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evrun/tasks/notification"
	"evrun/tasks/outgoing"
)

// FuzzAValueStaysInItsPlace: no value of an event in a url changes the rest of the url.
func FuzzAValueStaysInItsPlace(f *testing.F) {
	for _, seed := range []string{
		"a", "..", ".", "/", "@evil.test", "%2f", "\\", "?x#y", "\r\n", "[::1]", "a,b", "a;b", "a&to=b", "a/../../v1/account", "..%2f..", "a:b", "é", "http://evil.test/?", `["a","b"]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		d := delivery(`{}`)
		d.Event.Subject = v
		for _, url := range []string{"http://public.test/a/${ event.subject }/b?c=${ event.subject }", "http://public.test?c=${ event.subject }#x"} {
			h := request(t, map[string]any{"url": url}, Deps{})
			u, err := outgoing.BuildURL(h.URL, d.Env)
			if err != nil {
				continue
			}
			if u.Host != "public.test" || u.Query().Get("c") != v || u.Path != "" && u.Path != "/a/"+v+"/b" {
				t.Errorf("%q makes %s", v, u)
			}
		}
		h := request(t, map[string]any{"url": "${ event.subject }://public.test/"}, Deps{})
		if u, err := outgoing.BuildURL(h.URL, d.Env); err == nil && u.Host != "public.test" {
			t.Errorf("the scheme %q makes %s", v, u)
		}
		for _, place := range []string{"ntfy://public.test/%s", "ntfy://%s/topic", "ntfy://public.test/topic?tags=%s", "ntfy://public.test/topic?click=%s", "ntfy://u:%s@public.test/t"} {
			n := notifier(t, map[string]any{"url": fmt.Sprintf(place, "${ event.subject }"), "message": "m"}, Deps{})
			text, _, err := n.target(d)
			if err != nil {
				continue
			}
			got, err := url.Parse(text)
			if err != nil {
				t.Errorf("%s with %q: %v", place, v, err)
				continue
			}
			// A url that a service decodes and encodes again has the same parts.
			want, _ := url.Parse(fmt.Sprintf(place, "VALUE"))
			if strings.Count(got.Path, "/") != strings.Count(want.Path, "/") || got.Query().Has("click") && got.Query().Get("click") != v ||
				len(got.Query()) != len(want.Query()) || got.Fragment != want.Fragment || (got.User == nil) != (want.User == nil) ||
				!strings.Contains(place, "//%s") && got.Host != want.Host || slices.Contains(strings.Split(got.Path, "/"), "..") {
				t.Errorf("%s with %q: %s", place, v, text)
			}
		}
	})
}

// shape returns the number of elements in each list and map of a service's configuration.
func shape(v reflect.Value) (lengths []int) {
	for _, field := range v.Fields() {
		switch field.Kind() {
		case reflect.Slice, reflect.Map:
			lengths = append(lengths, field.Len())
		}
	}
	return lengths
}

// configOf returns the configuration that a service makes from a url, or nothing if it can't.
func configOf(t *testing.T, text string) (reflect.Value, error) {
	t.Helper()
	s, err := notification.Open(text)
	if err != nil || s == nil {
		return reflect.Value{}, err
	}
	return reflect.ValueOf(s.Library).Elem().FieldByName("Config").Elem(), nil
}

// Each parameter of each service: an event's value adds no elements to a list, and stays one text.
func TestAValueIsOneElementOfAServicesList(t *testing.T) {
	lists := 0
	for name, base := range serviceURLs {
		config, err := configOf(t, base)
		if err != nil || !config.IsValid() {
			continue // those that ask their server first
		}
		for field := range config.Type().Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("key"), ",")
			if key == "" {
				continue
			}
			separator := "&"
			if !strings.Contains(base, "?") {
				separator = "?"
			}
			n := notifier(t, map[string]any{"url": base + separator + key + "=${ data.v }", "message": "m"}, Deps{})
			one, _, err := n.target(delivery(`{"v":"a"}`))
			if err != nil {
				t.Fatal(err)
			}
			single, err := configOf(t, one)
			if err != nil || !single.IsValid() {
				continue // no such value: a number, an enumeration
			}
			if k := field.Type.Kind(); k == reflect.Slice || k == reflect.Map {
				lists++
			}
			for _, v := range []string{"a,b", "a;b", "a,user:b", "a&" + key + "=b", "a:b,c:d"} {
				text, _, err := n.target(delivery(`{"v":` + quoteJSON(v) + `}`))
				if err != nil {
					continue
				}
				got, err := configOf(t, text)
				if err == nil && got.IsValid() && !slices.Equal(shape(got), shape(single)) {
					t.Errorf("%s: %s with %q makes lists of %v, not %v", name, key, v, shape(got), shape(single))
				}
			}
		}
	}
	if lists < 5 {
		t.Errorf("%d lists were looked at", lists)
	}
}

func TestAValueThatWouldLeaveItsPlaceIsRefused(t *testing.T) {
	for _, test := range []struct{ url, v, want string }{
		{"smtp://127.0.0.1:1/?from=a@b.c&to=${ data.v }", "a@b.c,evil@evil.test", `url: the value "a@b.c,evil@evil.test" can't be in the parameter "to", which is a list: it has a ',' in it`},
		{"smtp://127.0.0.1:1/?from=a@b.c&toAddresses=a@b.c,${ data.v }", "x@b.c,evil@evil.test", "which is a list"},
		{"telegram://1:A@telegram?chats=${ data.v }", "@a,@b", "which is a list"},
		{"zulip://bot%40example.com:k@zulip.example.com/?type=direct&to=${ data.v }", "a@b.c,evil@evil.test", "which is a list"},
		{"pagerduty://events.pagerduty.com/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee?contexts=link:${ data.v }", "https://a,image:https://b", "which is a list"},
		{"ntfy://127.0.0.1:1/${ data.v }", "a/../../v1/account", `url: the value "a/../../v1/account" can't be in the path: it has a '/' in it`},
		{"ntfy://127.0.0.1:1/${ data.v }", "..", `url: a value in its path makes it "..", which leads elsewhere`},
		{"ntfy://127.0.0.1:1/a.${ data.v }", ".", ""},
		{"ntfy://127.0.0.1:1/.${ data.v }", ".", "which leads elsewhere"},
		{"ntfy://127.0.0.1:1/${ data.v }", "", "a value in its path is empty"},
		{"ntfy://127.0.0.1:1/${ data.v }", "a?auth=x", "it has a '?' in it"},
		{"ntfy://127.0.0.1:1/${ data.v }", "a%2Fb", "it has a '%' in it"},
		{"ntfy://${ data.v }/topic", "evil.test/x?", "can't be in a host"},
		{"ntfy://${ data.v }.127.0.0.1:1/topic", "evil.test:80", "it has a ':' in it"},
		{"ntfy://user:${ data.v }@127.0.0.1:1/topic", "x@evil.test", "it has a '@' in it"},
		{"${ data.v }://127.0.0.1:1/topic", "smtp://evil.test/?from=a@b.c&to=", "can't be in a scheme"},
		{"ntfy${ data.v }://127.0.0.1:1/topic", "x:", "can't be in a scheme"},
		{"ntfy://127.0.0.1:1/topic?${ data.v }=1", "a=b&title", "can't be in the name of a parameter"},
		{"ntfy://127.0.0.1:1/topic#${ data.v }", "a/b", "can't be in the fragment"},
		{"ntfy://127.0.0.1:1/topic?title=${ data.v }", "Doe, Jane; a/b?c#d&e=f", ""},
		{"generic+http://127.0.0.1:1/?q=${ data.v }", "a,b;c", ""},
		{"smtp://127.0.0.1:1/?from=a@b.c&to=a@b.c&subject=${ data.v }", "one, two", ""},
	} {
		n := notifier(t, map[string]any{"message": "m", "url": test.url}, Deps{})
		open, guarded := stub(n.open.Guard, names), stub(n.guarded.Guard, names)
		_, err := n.Do(context.Background(), delivery(`{"v":`+quoteJSON(test.v)+`}`))
		switch {
		case test.want == "":
			if err == nil || strings.Contains(err.Error(), "can't be in") {
				t.Errorf("%s with %q: %v", test.url, test.v, err)
			}
		case err == nil || !isPermanentError(err) || !strings.Contains(err.Error(), test.want) || open() != nil || guarded() != nil:
			t.Errorf("%s with %q: %v, dialled %v %v", test.url, test.v, err, open(), guarded())
		}
	}

	// A value of the environment may contain anything.
	t.Setenv("EVRUN_TEST_TO", "a@b.c,d@e.f")
	n := notifier(t, map[string]any{"message": "m", "url": `smtp://127.0.0.1:1/?from=a@b.c&to=${ env("EVRUN_TEST_TO") }`}, Deps{})
	if text, _, err := n.target(delivery(`{}`)); err != nil || !strings.HasSuffix(text, "to=a%40b.c%2Cd%40e.f") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAValueInTheSchemeOfARequestChoosesNoHost(t *testing.T) {
	for _, v := range []string{"http://evil.test/?", "https://evil.test#", "http:", "h/", ""} {
		h := request(t, map[string]any{"url": "${ data.v }://public.test/x"}, Deps{})
		dials := stub(h.way.Guard, names)
		if _, err := h.Do(context.Background(), delivery(`{"v":`+quoteJSON(v)+`}`)); err == nil || !isPermanentError(err) || dials() != nil {
			t.Errorf("%q: %v, dialled %v", v, err, dials())
		}
	}
}
