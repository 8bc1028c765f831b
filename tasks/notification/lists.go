package notification

import (
	"reflect"
	"slices"
	"strings"
)

// textLists are texts that a service splits into a list or a map.
var textLists = []string{"pagerduty.contexts", "pagerduty.details", "zulip.to"}

// Splits reports whether a service may split a parameter of its url: each one that is not known to be a text.
func Splits(before, key string) bool {
	scheme, _, _ := strings.Cut(before, ":")
	name, _, err := Lookup(scheme)
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
