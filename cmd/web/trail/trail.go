// Package trail says in words what the events of the audit trail report: who did what to what. The dashboard shows it.
//
//	entry, ok := trail.Of(event)
//	// entry.Who "token deploy", entry.What: "paused", the handler save, ": the disk is full"
//
// No goroutines.
package trail

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"evrun/events"
)

// Entry is one action.
type Entry struct {
	Who    string // as the event says it: ada (uid 1000), token deploy
	What   []Part // what was done, in the past tense
	Reason string // that was given; empty: none
}

// Part is a text, or the name of a thing with the path of its page.
type Part struct {
	Text string
	Path string // empty: it is only a text
}

// String is the whole sentence without the reason.
func (e Entry) String() string {
	var b strings.Builder
	b.WriteString(e.Who + " ")
	for _, p := range e.What {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Of reads an event of a type under [events.AuditPrefix]. ok is false for others. An event whose data is not as documented gives an entry with what can be
// read.
func Of(e *events.Event) (entry Entry, ok bool) {
	if !strings.HasPrefix(e.Type, events.AuditPrefix) {
		return entry, false
	}
	d := data{}
	_ = json.Unmarshal(e.Data, &d) // erased, or of another version: the sentence has gaps
	entry = Entry{Who: d.text("who"), Reason: d.text("reason")}
	if entry.Who == "" {
		entry.Who = "somebody"
	}
	if say := sentences[e.Type]; say != nil {
		entry.What = say(d)
	} else {
		entry.What = words(strings.ReplaceAll(strings.TrimPrefix(e.Type, events.AuditPrefix), ".", " "))
	}
	return entry, true
}

// Kind is a group of actions, for a filter.
type Kind struct {
	Pattern string // of types
	Title   string
}

// Kinds are all groups: together they have all types of the trail.
func Kinds() []Kind {
	under := func(what string) string { return events.AuditPrefix + what + ".>" }
	return []Kind{
		{under("run"), "Runs"}, {under("batch"), "Batches"}, {under("events"), "Events replayed and pruned"}, {under("handler"), "Handlers"}, {under("schedule"), "Schedules"},
		{under("wiring"), "The wiring"}, {under("users"), "Users"}, {under("store"), "The store"}, {under("token"), "Tokens"},
	}
}

// sentences are the words for each type.
var sentences = map[string]func(data) []Part{
	events.TypeAuditRunRetried:   func(d data) []Part { return d.run("retried") },
	events.TypeAuditRunCancelled: func(d data) []Part { return d.run("cancelled") },
	events.TypeAuditRunDropped:   func(d data) []Part { return d.run("dropped") },
	events.TypeAuditRunEdited: func(d data) []Part {
		return append(d.run("ran again with changed data:"), d.event(", as ", "event")...)
	},
	events.TypeAuditEventsReplayed: func(d data) []Part {
		parts := words("ran " + d.count("count", "event") + " again through ")
		parts = append(parts, d.handler())
		if names := d.texts("events"); len(names) > 0 && len(names) <= 3 {
			parts = append(parts, Part{Text: ": "})
			for i, name := range names {
				if i > 0 {
					parts = append(parts, Part{Text: ", "})
				}
				parts = append(parts, Part{name, "/events/" + url.PathEscape(strings.TrimPrefix(name, "#"))})
			}
		}
		return parts
	},
	events.TypeAuditEventsPruned: func(d data) []Part {
		return words("pruned the store: " + d.count("events", "event") + " and " + d.count("runs", "run") + " deleted")
	},
	events.TypeAuditBatchStarted: func(d data) []Part {
		verb := "started " + doing(d.text("action"))
		if d.truth("resumed") {
			verb = "continued " + doing(d.text("action"))
		}
		return d.batch(verb + " " + d.count("total", d.things()))
	},
	events.TypeAuditBatchEnded: func(d data) []Part {
		return append(d.batch("finished "+doing(d.text("action"))+" "+d.count("total", d.things())), Part{Text: ": " + humanize.Comma(d.number("changed")) + " changed"})
	},
	events.TypeAuditHandlerPaused:    func(d data) []Part { return append(words("paused the handler "), d.handler()) },
	events.TypeAuditHandlerResumed:   func(d data) []Part { return append(append(words("resumed the handler "), d.handler()), d.skipped()...) },
	events.TypeAuditHandlerForgotten: func(d data) []Part { return append(append(words("forgot the handler "), d.handler()), d.skipped()...) },
	events.TypeAuditScheduleFired: func(d data) []Part {
		return append(append(words("fired the schedule "), d.schedule()), d.event(": ", "event")...)
	},
	events.TypeAuditScheduleBackfilled: func(d data) []Part {
		return append(append(words("published "+d.count("count", "past slot")+" of the schedule "), d.schedule()), words(", from "+d.time("from")+" to "+d.time("to"))...)
	},
	events.TypeAuditSchedulePaused:  func(d data) []Part { return append(words("paused the schedule "), d.schedule()) },
	events.TypeAuditScheduleResumed: func(d data) []Part { return append(words("resumed the schedule "), d.schedule()) },
	events.TypeAuditWiringReloaded: func(d data) []Part {
		why := map[string]string{"request": "asked for it", "signal": "by the signal SIGHUP", "file": "since the file has changed"}[d.text("because")]
		if why != "" {
			why = " (" + why + ")"
		}
		return []Part{{Text: "had the wiring read again" + why + ": "}, {d.text("path"), "/wiring"}}
	},
	events.TypeAuditUsersImported: func(d data) []Part {
		parts := []Part{{Text: "imported "}, {"users", "/users"}, {Text: ": " + humanize.Comma(d.number("inserted")) + " new, " + humanize.Comma(d.number("updated")) + " changed, " + humanize.Comma(d.number("kept")) + " as they were"}}
		if n := d.number("refused"); n > 0 {
			parts = append(parts, Part{Text: ", " + d.count("refused", "line") + " refused"})
		}
		return parts
	},
	events.TypeAuditStoreRestored: func(d data) []Part {
		text := "put the backup " + d.text("file") + " in the store's place: it ends with #" + d.text("seq")
		if _, known := d["lost"]; known {
			text += ", and " + d.count("lost", "later event") + " lost"
		}
		return words(text)
	},
	events.TypeAuditTokenCreated: func(d data) []Part {
		text := ", which may " + strings.Join(d.texts("rights"), ", ")
		if rate := d.text("rate"); rate != "" {
			text += ", at most " + rate
		}
		if ends := d.time("expires_at"); ends != "" {
			text += ", until " + ends
		}
		return []Part{{Text: "made the token "}, {d.text("name"), "/settings"}, {Text: text}}
	},
	events.TypeAuditTokenRevoked: func(d data) []Part { return []Part{{Text: "revoked the token "}, {d.text("name"), "/settings"}} },
}

func words(text string) []Part { return []Part{{Text: text}} }

// doing is an action of a batch as something that somebody starts.
func doing(action string) string {
	if gerund := gerunds[action]; gerund != "" {
		return gerund
	}
	return "the action " + action + " on"
}

var gerunds = map[string]string{"retry": "retrying", "cancel": "cancelling", "drop": "dropping", "edit": "editing and running again", "replay": "replaying", "erase": "erasing", "rerun": "running again"}

// data is that of an event.
type data map[string]any

func (d data) text(name string) string {
	s, _ := d[name].(string)
	return s
}

func (d data) texts(name string) (list []string) {
	all, _ := d[name].([]any)
	for _, v := range all {
		if s, ok := v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

func (d data) number(name string) int64 {
	n, _ := d[name].(float64)
	return int64(n)
}

func (d data) truth(name string) bool {
	b, _ := d[name].(bool)
	return b
}

// count is a number of things: 1 run, 1,234 runs.
func (d data) count(name, thing string) string {
	n := d.number(name)
	if n != 1 {
		thing += "s"
	}
	return humanize.Comma(n) + " " + thing
}

// time is a time without its fraction; empty if there is none.
func (d data) time(name string) string {
	t, err := time.Parse(time.RFC3339, d.text(name))
	if err != nil {
		return d.text(name)
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func (d data) handler() Part {
	return Part{d.text("handler"), "/handlers/" + url.PathEscape(d.text("handler"))}
}

func (d data) schedule() Part {
	return Part{d.text("schedule"), "/schedules/" + url.PathEscape(d.text("schedule"))}
}

// event names an event by its id, if the data has it.
func (d data) event(before, name string) []Part {
	id := d.text(name)
	if id == "" {
		return nil
	}
	return []Part{{Text: before}, {"event " + id, "/events?event=" + url.QueryEscape(id)}}
}

// run is a verb and the run that it was done to, and how many others.
func (d data) run(verb string) []Part {
	id, n := d.text("run"), d.number("count")
	if id == "" {
		return words(verb + " " + d.count("count", "run"))
	}
	parts := []Part{{Text: verb + " the run "}, {id, "/runs/" + url.PathEscape(id)}}
	if n > 1 {
		parts = append(parts, Part{Text: fmt.Sprintf(" and %s more", humanize.Comma(n-1))})
	}
	return parts
}

// things are what a batch is about.
func (d data) things() string {
	if slices.Contains([]string{"replay", "erase"}, d.text("action")) {
		return "event"
	}
	return "run"
}

// batch is a sentence with what was selected, as a link to the list of it.
func (d data) batch(text string) []Part {
	parts := words(text)
	if to := d.text("to"); to != "" {
		parts = append(parts, Part{Text: " through "}, Part{to, "/handlers/" + url.PathEscape(to)})
	}
	selection, _ := d["selection"].(map[string]any)
	q := url.Values{}
	var said []string
	for name, v := range selection {
		values, list := v.([]any)
		if !list {
			values = []any{v}
		}
		if name == "run" && len(values) > mostNamed { // as many as somebody has ticked
			said = append(said, humanize.Comma(int64(len(values)))+" ids")
			continue
		}
		for _, v := range values {
			q.Add(name, fmt.Sprint(v))
			said = append(said, fmt.Sprintf("%s %v", name, v))
		}
	}
	if len(said) == 0 {
		return parts
	}
	slices.Sort(said)
	path := "/runs?"
	if d.things() == "event" {
		path = "/events?"
	}
	what := Part{Text: strings.Join(said, ", ")}
	if selection["run"] == nil { // the list of runs has no filter for these
		what.Path = path + q.Encode()
	}
	return append(parts, Part{Text: " with "}, what)
}

// mostNamed is how many runs of a selection are named.
const mostNamed = 3

// skipped is what a resumed or forgotten handler leaves out.
func (d data) skipped() []Part {
	events, runs := d.number("skipped_events"), d.number("dropped_runs")
	if events == 0 && runs == 0 {
		return nil
	}
	most := ""
	if d.truth("at_most") {
		most = "at most "
	}
	return words(": " + most + d.count("skipped_events", "event") + " skipped, " + d.count("dropped_runs", "run") + " dropped")
}
