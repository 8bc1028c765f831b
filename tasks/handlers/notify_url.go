package handlers

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// A value in the url of a service stays one value in its place. Escaping is not enough: services decode the url and build others
// from its parts, and some split a part into a list. So a value of an event must not contain characters that end a part of a url,
// nor separators where the service reads a list. Values of the environment, and a url that is a single value, are not checked.

// target evaluates the url. The host is trusted unless an event can choose it.
func (n *notify) target(d *tasks.Delivery) (string, *way, error) {
	way := n.open
	var inPath []int // where values of events begin
	text, err := n.URL.Expand(d.Env, func(p expression.Piece) (string, error) {
		at := placeIn(p.Before)
		if p.OfEvent && at != inPathOf && (at != inQuery || namesHost(p.Before)) {
			way = n.guarded
		}
		if p.OfEvent {
			if at == inPathOf {
				inPath = append(inPath, len(p.Before))
			}
			if err := checkPart(at, p); err != nil {
				return "", err
			}
		}
		switch {
		case at == inNothing, at == inAuthority && p.OfEvent: // checked above: nothing in it needs an escape, and a host can't have one
			return p.Value, nil
		case at == inAuthority: // tokens contain colons, and a password may come before the host
			return strings.ReplaceAll(escapeAll(p.Value), "%3A", ":"), nil
		}
		return escapeAll(p.Value), nil
	})
	for _, at := range inPath {
		if err == nil {
			err = checkSegment(text, at)
		}
	}
	return text, way, err
}

func (n *notify) template() *expression.Template { return n.URL }

// address implements addressed. The service checks its url, too, and sends nothing.
func (n *notify) address(env *expression.Env) (string, error) {
	text, _, err := n.target(&tasks.Delivery{Env: env})
	if err == nil {
		_, err = openService(text, &serviceClient{offline: true})
	}
	return text, err
}

// checkPart refuses a value of an event that would not stay one value at its place in the url.
func checkPart(at place, p expression.Piece) error {
	var where, wrong string
	switch at {
	case inNothing:
		return checkScheme(p)
	case inAuthority:
		for _, r := range p.Value {
			if !isAlphanumeric(r) && !strings.ContainsRune("-._~+", r) {
				return fmt.Errorf("the value %s can't be in a host, nor in what stands before it: it has a %q in it", fault.Quote(p.Value), r)
			}
		}
		return nil
	case inPathOf:
		where, wrong = "path", `/\?#%&=,;`
	case inQuery:
		key, value := queryKey(p.Before)
		switch {
		case strings.Contains(p.Before, "#"):
			where, wrong = "fragment", `/\?#%&=,;`
		case !value:
			where, wrong = "name of a parameter", `/\?#%&=,;:@ `
		case splits(p.Before, key):
			where, wrong = fmt.Sprintf("parameter %s, which is a list", fault.Quote(key)), `,;"[]{}\`
		}
	}
	for _, r := range p.Value {
		if where != "" && (r < ' ' || strings.ContainsRune(wrong, r)) {
			return fmt.Errorf("the value %s can't be in the %s: it has a %q in it", fault.Quote(p.Value), where, r)
		}
	}
	if p.Value == "" && where == "path" {
		return errors.New("a value in its path is empty")
	}
	return nil
}

// queryKey returns the parameter in which the text so far ends; value reports whether it ends in the parameter's value.
func queryKey(before string) (key string, value bool) {
	key, _, value = strings.Cut(before[strings.LastIndexAny(before, "?&")+1:], "=")
	if plain, err := url.QueryUnescape(key); err == nil {
		key = plain
	}
	return strings.ToLower(key), value
}

// textLists are texts that a service splits into a list or a map.
var textLists = []string{"pagerduty.contexts", "pagerduty.details", "zulip.to"}

// splits reports whether a service may split a parameter of its url: each one that is not known to be a text.
func splits(before, key string) bool {
	scheme, _, _ := strings.Cut(before, ":")
	name, _, err := lookupService(scheme)
	if err != nil {
		return true
	}
	if slices.Contains(textLists, name+"."+key) {
		return true
	}
	library := reflect.TypeOf(services[name].make()).Elem()
	config, ok := library.FieldByName("Config")
	if !ok || config.Type.Kind() != reflect.Pointer {
		return true
	}
	for field := range config.Type.Elem().Fields() {
		for tag := range strings.SplitSeq(strings.ToLower(field.Tag.Get("key")), ",") {
			if tag == key && key != "" {
				return field.Type.Kind() != reflect.String
			}
		}
	}
	return name != "generic" // which passes unknown parameters to a webhook
}

// escapeAll escapes a value for any place in a url.
func escapeAll(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// namesHost reports whether the text continues with a host in the query, where some services have it.
func namesHost(before string) bool {
	key, value := queryKey(before)
	return !value || strings.EqualFold(key, "host")
}
