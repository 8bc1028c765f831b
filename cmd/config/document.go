package config

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"evrun/cmd/config/yaml"
	"evrun/tasks/fault"
)

// maxFaults is how many faults are told. A file with more has one cause for most of them.
const maxFaults = 100

// document is a wiring file that is being checked: its text, and what was found wrong with it so far.
type document struct {
	name   string // of the file, as messages have it
	src    string
	lines  []int // where each line begins
	faults []Fault
}

func newDocument(name string, src []byte) *document {
	d := &document{name: name, src: string(src), lines: make([]int, 1, 2+bytes.Count(src, []byte{'\n'}))}
	for i := 0; ; {
		n := bytes.IndexByte(src[i:], '\n')
		if n < 0 {
			return d
		}
		i += n + 1
		d.lines = append(d.lines, i)
	}
}

// full says whether there are so many faults that looking for more is of no use.
func (d *document) full() bool { return len(d.faults) >= maxFaults }

// fault notes what is wrong with the bytes from start to end.
func (d *document) fault(start, end int, msg, hint string) {
	if d.full() {
		return
	}
	line := sort.SearchInts(d.lines, start+1) - 1
	from := d.lines[line]
	text := d.src[from:]
	if line+1 < len(d.lines) {
		text = d.src[from:d.lines[line+1]]
	}
	text = strings.TrimRight(text, "\r\n")
	d.faults = append(d.faults, Fault{
		File: d.name, Line: line + 1, Column: 1 + utf8.RuneCountInString(d.src[from:start]), Message: msg, Hint: hint, SourceLine: text,
		offset: start, width: end - start,
	})
	if d.full() {
		d.faults[maxFaults-1].Message, d.faults[maxFaults-1].Hint = "too many errors: the rest isn't shown", ""
	}
}

// at notes what is wrong with a node.
func (d *document) at(n *yaml.Node, msg, hint string) {
	d.fault(n.Start, n.End(), msg, hint)
}

// head notes what is wrong with a mapping as a whole, at its first key.
func (d *document) head(n *yaml.Node, msg, hint string) {
	end := n.Start + 1
	if len(n.Content) > 0 && n.Content[0].Start == n.Start {
		end = n.Content[0].End()
	}
	d.fault(n.Start, end, msg, hint)
}

// inside notes what is wrong with the word at a byte of a scalar's text; -1: with all of it.
func (d *document) inside(n *yaml.Node, offset int, msg, hint string) {
	if offset < 0 {
		d.at(n, msg, hint)
		return
	}
	start := n.Source(offset)
	end := start + 1
	if isWord(d.src[start]) {
		for end < len(d.src) && isWord(d.src[end]) {
			end++
		}
	}
	d.fault(start, end, msg, hint)
}

func isWord(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// beside notes what is wrong with something that is no part of the file.
func (d *document) beside(what, msg, hint string) {
	d.faults = append(d.faults, Fault{File: what, Message: msg, Hint: hint, offset: len(d.src) + 1})
}

// err gives the faults in the order of the file, nil for none.
func (d *document) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int { return cmp.Compare(a.offset, b.offset) })
	// An aliased value is read wherever it stands, and what is wrong with it is found as often.
	d.faults = slices.CompactFunc(d.faults, func(a, b Fault) bool { return a.offset == b.offset && a.Message == b.Message })
	return &Errors{Path: d.name, Faults: d.faults}
}

// key is a key that a mapping may have.
type key struct {
	name     string
	read     func(*yaml.Node) // its value, which is not null
	required string           // why it can't be left out; empty: it can
	nullable bool             // may be there without a value
	later    bool             // is known, but refused for now
}

// mapping reads the keys of a mapping, which is what: "a handler". It says false where it found unknown keys, gaps, or no
// mapping at all: then nothing can be said of what is missing.
func (d *document) mapping(n *yaml.Node, what string, keys []key) bool {
	if n.Broken && n.Kind != yaml.Mapping {
		return false
	}
	if n.Kind != yaml.Mapping {
		d.at(n, what+" must be a mapping of keys, not "+describe(n), itsKeys(keys))
		return false
	}
	whole := !n.Broken
	var found, meant []string
	for i := 0; i < len(n.Content) && !d.full(); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		known := slices.IndexFunc(keys, func(k key) bool { return k.name == name.Value })
		switch {
		case known < 0:
			whole = false
			suggestion := suggest(name.Value, keys)
			meant = append(meant, suggestion)
			hint := didYouMean(suggestion)
			if taken, _ := lookup(n, suggestion); taken != nil {
				hint = fmt.Sprintf("leave it out: %q is given already", suggestion)
			} else if suggestion == "" {
				hint = itsKeys(keys)
			}
			d.at(name, fmt.Sprintf("unknown key %q in %s", clip(name.Value), what), hint)
			continue
		case value.Broken && value.Kind == yaml.Scalar: // a fault has been noted
			whole = false
		case !value.Null() || keys[known].nullable:
			keys[known].read(value)
		default:
			d.at(name, fmt.Sprintf("%q has no value", name.Value), "give it one, or leave the key out")
		}
		found = append(found, name.Value)
	}
	if n.Broken {
		return false
	}
	for _, k := range keys {
		if k.required != "" && !slices.Contains(found, k.name) && !slices.Contains(meant, k.name) {
			d.head(n, fmt.Sprintf("%s needs %q", what, k.name), k.required)
		}
	}
	return whole
}

// otherWords are keys that people know from elsewhere, with ours.
var otherWords = map[string]string{
	"trigger": "on", "triggers": "on", "event": "on", "topic": "on", "type": "emit", "if": "when", "condition": "when", "filter": "when", "where": "when",
	"action": "do", "run": "do", "kind": "do", "uses": "do", "input": "with", "inputs": "with", "args": "with", "params": "with", "options": "with",
	"retries": "retry", "delay": "backoff", "max_backoff": "max", "max_attempts": "attempts", "parallel": "concurrency", "workers": "concurrency",
	"key": "order_by", "emits": "emit", "publish": "emit", "payload": "data", "tz": "timezone", "zone": "timezone", "interval": "every", "start": "from",
	"end": "until", "id": "name", "database": "store", "db": "store", "logging": "log", "tasks": "handlers", "jobs": "schedules", "timers": "schedules",
	"file": "path", "strict": "strict_types", "max_size": "max_event", "sync": "synchronous",
}

// suggest gives the key that was meant, empty for none; never one that is refused for now.
func suggest(word string, keys []key) string {
	var list []string
	for _, k := range keys {
		if !k.later {
			list = append(list, k.name)
		}
	}
	for _, name := range list {
		if strings.EqualFold(word, name) || otherWords[strings.ToLower(word)] == name {
			return name
		}
	}
	return closest(word, list)
}

// didYouMean is a hint to a word.
func didYouMean(word string) string { return fmt.Sprintf("did you mean %q?", word) }

// closest gives the one of the words that was meant, empty for none.
func closest(word string, words []string) string {
	for _, w := range words {
		if len(word) > 2 && (strings.HasPrefix(word, w) || strings.HasPrefix(w, word)) {
			return w
		}
	}
	hint := fault.DidYouMean(word, words)
	for _, w := range words {
		if hint != "" && strings.Contains(hint, strconv.Quote(w)) {
			return w
		}
	}
	return ""
}

// itsKeys is a hint that names the keys that there are.
func itsKeys(keys []key) string {
	var list []string
	for _, k := range keys {
		if !k.later {
			list = append(list, k.name)
		}
	}
	if len(list) == 1 {
		return "its only key is " + list[0]
	}
	return "its keys are " + enumerate(list, "and")
}

func enumerate(list []string, last string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " " + last + " " + list[len(list)-1]
}

// sequence reads the items of a list, which is what: "schedules".
func (d *document) sequence(n *yaml.Node, what, hint string, read func(*yaml.Node)) {
	if n.Kind != yaml.Sequence {
		if !n.Broken && !n.Null() {
			d.at(n, fmt.Sprintf("%q must be a list, not %s", what, describe(n)), hint)
		}
		return
	}
	for _, item := range n.Content {
		if d.full() {
			return
		}
		switch {
		case item.Broken && item.Kind == yaml.Scalar:
		case item.Null():
			d.fault(item.Start-1, item.Start, fmt.Sprintf("an item of %q is empty", what), "leave its dash out")
		default:
			read(item)
		}
	}
}

// text reads a text. A number or a truth value is none: it would read otherwise than it was written.
func (d *document) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind == yaml.Scalar && !n.Null() {
		if _, ok := scalar(n).(string); ok {
			return n.Value, true
		}
		d.at(n, fmt.Sprintf("%q must be a text, not %s", what, describe(n)), fmt.Sprintf("quote it: %q", clip(n.Value)))
		return "", false
	}
	if !n.Broken {
		d.at(n, fmt.Sprintf("%q must be a text, not %s", what, describe(n)), "")
	}
	return "", false
}

// literal reads any scalar as it was written.
func (d *document) literal(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.Scalar {
		if !n.Broken {
			d.at(n, fmt.Sprintf("%q must be a text, not %s", what, describe(n)), "")
		}
		return "", false
	}
	return n.Value, true
}

// choice reads one of a few words.
func (d *document) choice(n *yaml.Node, what string, words ...string) string {
	s, ok := d.literal(n, what)
	if !ok {
		return ""
	}
	if msg, hint := oneOf(s, words...); msg != "" {
		d.at(n, about(what, msg), hint)
		return ""
	}
	return s
}

// oneOf says what is wrong with a word that is to be one of a few.
func oneOf(word string, words ...string) (msg, hint string) {
	if slices.Contains(words, word) {
		return "", ""
	}
	if w := closest(word, words); w != "" {
		hint = didYouMean(w)
	}
	return fmt.Sprintf("it must be %s, not %q", enumerate(words, "or"), clip(word)), hint
}

// about makes a message of one about a key's value.
func about(key, msg string) string {
	if rest, ok := strings.CutPrefix(msg, "it "); ok {
		return strconv.Quote(key) + " " + rest
	}
	return strconv.Quote(key) + ": " + msg
}

// truth reads true or false.
func (d *document) truth(n *yaml.Node, what string) bool {
	if n.Kind == yaml.Scalar {
		if v, ok := scalar(n).(bool); ok {
			return v
		}
	}
	if !n.Broken {
		hint := ""
		switch strings.ToLower(n.Value) {
		case "yes", "on":
			hint = "write true"
		case "no", "off":
			hint = "write false"
		}
		d.at(n, fmt.Sprintf("%q must be true or false, not %s", what, describe(n)), hint)
	}
	return false
}

// integer reads a whole number from 1 to most.
func (d *document) integer(n *yaml.Node, what string, most int64) int64 {
	if n.Kind == yaml.Scalar {
		switch v := scalar(n).(type) {
		case int64:
			if v < 1 {
				d.at(n, fmt.Sprintf("%q must be 1 or more", what), "")
				return 0
			}
			if v <= most {
				return v
			}
			d.at(n, fmt.Sprintf("%q can be %d at most", what, most), "")
			return 0
		case uint64:
			d.at(n, fmt.Sprintf("%q can be %d at most", what, most), "")
			return 0
		}
	}
	if !n.Broken {
		d.at(n, fmt.Sprintf("%q must be a whole number, not %s", what, describe(n)), "")
	}
	return 0
}
