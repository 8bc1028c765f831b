package columns

import (
	"encoding/json"
	"maps"
	"strings"

	"evrun/events"
)

// The column extensions also has the attributes of targeted events, so that the others carry no columns for them. No extension can have these names.
const (
	TargetKey   = "@target"
	replayOfKey = "@replayof"
	erasedKey   = "@erased" // when its data was erased, in microseconds
)

// EncodeExtensions returns the value of the column extensions: a JSON object, or nil if the event has none.
func EncodeExtensions(e *events.Event) (any, error) {
	m := e.Extensions
	switch {
	case e.Target != "" || e.ReplayOf != 0:
		if m = maps.Clone(m); m == nil {
			m = map[string]any{}
		}
		m[TargetKey], m[replayOfKey] = e.Target, e.ReplayOf
	case len(m) == 0:
		return nil, nil
	}
	text, err := events.MarshalJSON(m)
	return string(text), err
}

// ErasedExtensions returns the column extensions of an event whose data is erased, from what it was.
func ErasedExtensions(text string, now int64) (string, error) {
	var e events.Event
	if text != "" {
		if err := DecodeExtensions(&e, text); err != nil {
			return "", err
		}
	}
	m := map[string]any{erasedKey: now}
	if e.Target != "" || e.ReplayOf != 0 {
		m[TargetKey], m[replayOfKey] = e.Target, e.ReplayOf
	}
	out, err := events.MarshalJSON(m)
	return string(out), err
}

// DecodeExtensions sets the attributes of e that EncodeExtensions has encoded. The values of extensions are string, bool or int64.
func DecodeExtensions(e *events.Event, text string) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return err
	}
	for k, v := range m {
		if n, ok := v.(json.Number); ok {
			i, err := n.Int64()
			if err != nil {
				return err
			}
			m[k] = i
		}
	}
	e.Target, _ = m[TargetKey].(string)
	e.ReplayOf, _ = m[replayOfKey].(int64)
	if us, ok := m[erasedKey].(int64); ok {
		e.ErasedAt = microTime(us)
	}
	delete(m, TargetKey)
	delete(m, replayOfKey)
	delete(m, erasedKey)
	for _, name := range [...]string{"target", "replayof"} { // of a sender, from before evrun had attributes of these names
		if v, ok := m[name]; ok {
			m["sender"+name] = v
			delete(m, name)
		}
	}
	if len(m) > 0 {
		e.Extensions = m
	}
	return nil
}
