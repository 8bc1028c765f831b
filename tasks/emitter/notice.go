package emitter

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"evrun/events"
	"evrun/tasks/expression"
)

// Notices are evrun's own events and those of a handler's on_dead; most report a failure. Nothing else reports it, so a notice is never refused: one
// that is too large is shortened, and the limit on hops does not apply.

// Notices of dead runs have a level: 1 for a run on an ordinary event, 2 for a run on a notice of level 1, such as an alert. A run that dies on a
// notice of level 2 is only logged, so that a handler of notices that always fails causes no endless chain.
const (
	levelAttribute = "level"
	maxLevel       = 2
)

// DeadLevel returns the level of the notices of a dead run on the event cause; ok is false if it is only logged.
func (em *Emitter) DeadLevel(cause *events.Event) (level int, ok bool) {
	level = em.level(cause) + 1
	return level, level <= maxLevel
}

// level returns the level of a notice of a dead run, 0 for any other event.
func (em *Emitter) level(e *events.Event) int {
	if n, ok := e.Extensions[levelAttribute].(int64); ok && em.owns(e.Source) && e.ReplayOf == 0 { // a replay has the extensions of any sender
		return int(n)
	}
	if e.Type == events.TypeRunDead { // from an older evrun
		return 1
	}
	return 0
}

// OfDead completes a notice of a dead run on the event cause, with the level of DeadLevel. If data is too large, instead replaces it, shortened. b bounds
// the work, and may be nil.
func (em *Emitter) OfDead(e, cause *events.Event, level int, data any, instead map[string]any, b *expression.Budget) error {
	if e.Extensions == nil {
		e.Extensions = make(map[string]any, 1)
	}
	e.Extensions[levelAttribute] = int64(level)
	join(e, cause)
	return em.notice(e, data, instead, b)
}

// Notice makes one of evrun's own events, of a type of [events.OwnTypes]. The caller passes it to Accept, or to a transaction. Data that is too large
// is shortened: its "error", its lists of names, and its events.
func (em *Emitter) Notice(typ, id string, data map[string]any) (*events.Event, error) {
	e := &events.Event{Type: typ, ID: id, Source: em.Source("")}
	return e, em.notice(e, data, data, nil)
}

// notice stamps a notice. If its data is too large, instead replaces it, shortened. b bounds its work, and may be nil.
func (em *Emitter) notice(e *events.Event, data any, instead map[string]any, b *expression.Budget) error {
	em.fill(e)
	err := b.SpendOn(data)
	if err != nil {
		return err
	}
	if e.Data, err = MarshalData(data); err == nil && len(e.Data) > em.maxData {
		e.Data, err = shortened(instead, em.maxData)
	}
	if err != nil {
		return refused("data of the event %q: %v", e.Type, err)
	}
	e.Subject = Cut(e.Subject, events.MaxSubjectLen)
	return em.fit(e, b)
}

// Shortenable is data of a notice that can be shortened.
type Shortenable interface {
	// Shorten returns about half of it; ok is false if nothing is left to take away.
	Shorten() (less any, ok bool)
}

// shortened encodes data as JSON of at most most bytes, if possible. It repeatedly shortens the largest value, and lists the shortened keys under
// "shortened".
func shortened(data map[string]any, most int) (json.RawMessage, error) {
	data = maps.Clone(data)
	from := []string{}
	for {
		data["shortened"] = from
		text, err := MarshalData(data)
		if err != nil || len(text) <= most {
			return text, err
		}
		name, less, err := shorten(data)
		if name == "" || err != nil {
			return text, err
		}
		data[name] = less
		if !slices.Contains(from, name) {
			from = append(from, name)
		}
	}
}

// shorten shortens the largest value that can be shortened, and returns its name; empty: none can.
func shorten(data map[string]any) (name string, less any, err error) {
	size := map[string]int{}
	for name, v := range data {
		text, err := MarshalData(v)
		if err != nil {
			return "", nil, err
		}
		size[name] = len(text)
	}
	names := slices.SortedFunc(maps.Keys(data), func(a, b string) int { return cmp.Or(size[b]-size[a], strings.Compare(a, b)) })
	for _, name := range names {
		switch v := data[name].(type) {
		case string:
			if name == "error" && len(v) > 64 {
				return name, Cut(v, len(v)/2), nil
			}
		case []string:
			if len(v) > 0 && name != "shortened" {
				return name, v[:len(v)/2], nil
			}
		case Shortenable:
			if less, ok := v.Shorten(); ok {
				return name, less, nil
			}
		case *events.Event:
			bare := &events.Event{Sequence: v.Sequence, ID: v.ID, Source: v.Source, Type: v.Type}
			if v.Data != nil {
				attributes := *v
				attributes.Data, bare = nil, &attributes
			} else if v.Time.IsZero() {
				continue // it is bare
			}
			return name, bare, nil
		}
	}
	return "", nil, nil
}

// Cut shortens text to at most most bytes. It never cuts a character in half.
func Cut(text string, most int) string {
	const mark = "…"
	if len(text) <= most {
		return text
	}
	end := max(0, most-len(mark))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
