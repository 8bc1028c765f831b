package handlers

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/notification"
	"evrun/tasks/outgoing"
)

// A value in the url of a service stays one value in its place. Escaping is not enough: services decode the url and build others
// from its parts, and some split a part into a list. So a value of an event must not contain characters that end a part of a url,
// nor separators where the service reads a list. Values of the environment, and a url that is a single value, are not checked.

// target evaluates the url. The host is trusted unless an event can choose it.
func (n *notify) target(d *tasks.Delivery) (string, *outgoing.Way, error) {
	way := n.open
	var inPath []int // where values of events begin
	text, err := n.URL.Expand(d.Env, func(p expression.Piece) (string, error) {
		at := outgoing.PlaceIn(p.Before)
		if p.OfEvent && leads(p.Before) {
			way = n.guarded
		}
		if p.OfEvent {
			if at == outgoing.InPath {
				inPath = append(inPath, len(p.Before))
			}
			if err := checkPart(at, p); err != nil {
				return "", err
			}
		}
		switch {
		case at == outgoing.InScheme, at == outgoing.InHost && p.OfEvent: // checked above: nothing in it needs an escape, and a host can't have one
			return p.Value, nil
		case at == outgoing.InHost: // tokens contain colons, and a password may come before the host
			return strings.ReplaceAll(escapeAll(p.Value), "%3A", ":"), nil
		}
		return escapeAll(p.Value), nil
	})
	for _, at := range inPath {
		if err == nil {
			err = outgoing.CheckSegment(text, at)
		}
	}
	return text, way, err
}

func (n *notify) template() *expression.Template { return n.URL }

// address implements addressed. The service checks its url, too, and sends nothing.
func (n *notify) address(env *expression.Env) (string, error) {
	text, _, err := n.target(&tasks.Delivery{Env: env})
	if err == nil {
		_, err = notification.Open(text)
	}
	return text, err
}

// checkPart refuses a value of an event that would not stay one value at its place in the url.
func checkPart(at outgoing.Place, p expression.Piece) error {
	var where, wrong string
	switch at {
	case outgoing.InScheme:
		return outgoing.CheckScheme(p)
	case outgoing.InHost:
		for _, r := range p.Value {
			if !outgoing.Alphanumeric(r) && !strings.ContainsRune("-._~+", r) {
				return fmt.Errorf("the value %s can't be in a host, nor in what stands before it: it has a %q in it", fault.Quote(p.Value), r)
			}
		}
		return nil
	case outgoing.InPath:
		where, wrong = "path", `/\?#%&=,;`
	case outgoing.InQuery:
		key, value := queryKey(p.Before)
		switch {
		case strings.Contains(p.Before, "#"):
			where, wrong = "fragment", `/\?#%&=,;`
		case !value:
			where, wrong = "name of a parameter", `/\?#%&=,;:@ `
		case notification.Splits(p.Before, key):
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

// escapeAll escapes a value for any place in a url.
func escapeAll(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// namesHost reports whether the text continues with a host in the query, where some services have it.
func namesHost(before string) bool {
	key, value := queryKey(before)
	return !value || strings.EqualFold(key, "host")
}
