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

// A value in the url of a service stays one value, and stays where it stands. To escape it is not enough: the services decode
// the url, and make others of its parts; and some take a list out of a part. So a value of an event may have nothing in it that
// ends a part of any url, nor what separates the elements of a list where the service reads one. Values of the environment,
// and a url that begins with its value and is not gone on with, are taken as they are.

// target evaluates the url. The host is trusted where no event has a say in it.
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
		case at == inNothing, at == inAuthority && p.OfEvent: // it has nothing in it that needs an escape, which a host can't have
			return p.Value, nil
		case at == inAuthority: // tokens have colons in them, and what is before a host may be a password
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

// address is for [Render]. The service looks at its url too, and asks nobody.
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

// queryKey is the parameter that the text so far ends in; value says whether it ends in its value.
func queryKey(before string) (key string, value bool) {
	key, _, value = strings.Cut(before[strings.LastIndexAny(before, "?&")+1:], "=")
	if plain, err := url.QueryUnescape(key); err == nil {
		key = plain
	}
	return strings.ToLower(key), value
}

// textLists are texts that a service itself makes a list, or a map, of.
var textLists = []string{"pagerduty.contexts", "pagerduty.details", "zulip.to"}

// splits says whether a service takes a list out of a parameter of its url: of each that isn't known to be one text.
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
	return name != "generic" // which hands on what it doesn't know, to a webhook
}

// escapeAll escapes a value so that it stays one wherever it stands in a url.
func escapeAll(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// namesHost says whether what follows in a query may be a host: some services have it there.
func namesHost(before string) bool {
	key, _, complete := strings.Cut(before[strings.LastIndexAny(before, "?&")+1:], "=")
	return !complete || strings.EqualFold(key, "host")
}
