package web

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/shape"
	"evrun/tasks/fault"
)

var overviewPage = page{pattern: "GET /{$}", right: access.Read, nav: "overview", title: "Overview", template: "overview", load: loadOverview}

// The sizes of the overview; the rest is a link away.
const (
	problemsApart = 3 // of a kind, each with a place of its own; more are together
	problemsShown = 8 // of a kind
	handlersShown = 20
	slotsShown    = 8
)

// overview is what is going on: what is wrong first.
type overview struct {
	Status   api.Status
	Problems []problems
	Figures  figures
	Plots    plots
	Handlers []handlerRow
	Hidden   int // handlers beyond those that are shown
	Next     []nextSlot
	Often    []api.Schedule // with a slot each minute or more often; they are not in Next
	Oftener  int            // beyond those that are shown
}

// nextSlot is a schedule with its next slot, as the clock of its time zone shows it.
type nextSlot struct {
	api.Schedule
	Words template.HTML
	Zone  string // such as CET
}

func loadOverview(q *request) (any, error) {
	status, err := q.api.Status(q.Context())
	if err != nil {
		return nil, err
	}
	a, err := lately(q)
	if err != nil {
		return nil, err
	}
	o := overview{Status: status, Plots: plotsOf(q, "", spans)}
	next, often := nextSlots(status.Schedules)
	for _, s := range next[:min(len(next), slotsShown)] {
		o.Next = append(o.Next, nextSlot{s, slotTime(s.Next, q.now), zoneName(s)})
	}
	o.Often = often
	if len(o.Often) > slotsShown {
		o.Often, o.Oftener = o.Often[:slotsShown], len(o.Often)-slotsShown
	}
	if o.Figures, err = figuresOf(q, ""); err != nil {
		return nil, err
	}
	o.Problems = problemsOf(&status)
	if !q.who.May(access.Operate) {
		for i := range o.Problems {
			o.Problems[i].Link, _, _ = strings.Cut(o.Problems[i].Link, ", ") // to see them
		}
	}
	o.Handlers = handlerRows(status.Handlers, a)
	slices.SortStableFunc(o.Handlers, func(a, b handlerRow) int {
		return cmp.Or(cmp.Compare(b.Health.worse(), a.Health.worse()), cmp.Compare(b.Total, a.Total))
	})
	if len(o.Handlers) > handlersShown {
		o.Handlers, o.Hidden = o.Handlers[:handlersShown], len(o.Handlers)-handlersShown
	}
	return o, nil
}

// nextSlots are the schedules in the order of their next slots, without those that are paused; those with a slot each minute are apart, because they would
// always be the first.
func nextSlots(all []api.Schedule) (next, often []api.Schedule) {
	for _, s := range all {
		switch {
		case s.Next == nil || s.Paused != "":
		case s.Last != nil && s.Next.Sub(*s.Last) <= time.Minute:
			often = append(often, s)
		default:
			next = append(next, s)
		}
	}
	slices.SortStableFunc(next, func(a, b api.Schedule) int { return a.Next.Compare(*b.Next) })
	return next, often
}

// problem is a problem of a status, with where somebody mends it.
type problem struct {
	api.Trouble
	Title  string // what it is about, in a few words
	About  string // the page of the handler or the schedule; empty: it is about neither
	Path   string // where it is mended
	Link   string // the text of the link there
	Bad    bool   // something failed or is refused, now; else somebody should look
	Resume string // handlers or schedules: resuming the one named ends the problem; empty: that is done elsewhere
}

// titles of what is wrong, by [api.Trouble].What.
var titles = map[string]string{
	api.TroubleStopping: "evrun is stopping", api.TroubleStore: "The store", api.TroubleReload: "The wiring file was refused", api.TroubleDead: "Dead runs", api.TroubleFailing: "Failing",
	api.TroubleSilent: "No answer", api.TroubleLate: "Overdue", api.TroubleBehind: "Behind", api.TroublePaused: "Paused", api.TroubleLeft: "Left the wiring file", api.TroubleMissed: "Missed slots",
	api.TroubleLastSlot: "The last slot failed", api.TroubleTLS: "The certificate", api.TroublePruning: "Retention", api.TroubleSpans: "Spans", shape.TroubleNodes: "No daemon for it",
}

// problems are one problem, or many of the same kind.
type problems struct {
	problem
	Shown []problem // of many
	More  []problem // beyond those that are shown at once
}

func problemsOf(s *api.Status) (list []problems) {
	for i := 0; i < len(s.Problems); {
		end := i + 1
		for end < len(s.Problems) && s.Problems[end].What == s.Problems[i].What {
			end++
		}
		same := make([]problem, 0, end-i)
		for _, t := range s.Problems[i:end] {
			same = append(same, problemOf(s, t))
		}
		i = end
		if len(same) <= problemsApart {
			for _, p := range same {
				list = append(list, problems{problem: p})
			}
			continue
		}
		all := problems{problem: together(same)}
		n := min(len(same), problemsShown)
		all.Shown, all.More = same[:n], same[n:]
		list = append(list, all)
	}
	return list
}

// together is what problems of one kind are together.
func together(same []problem) problem {
	p := problem{Trouble: api.Trouble{What: same[0].What, Text: fault.Plural(len(same), "handler")}, Title: same[0].Title, Bad: same[0].Bad}
	switch p.What {
	case api.TroubleDead:
		p.Path, p.Link = "/runs?state=dead", "See all dead runs"
	case api.TroubleFailing:
		p.Path, p.Link = "/runs?state=retrying", "See all that are retried"
	case api.TroublePaused:
		p.Path, p.Link, p.Text = "/handlers?health=paused", "See paused handlers", strconv.Itoa(len(same))+" handlers or schedules"
	case api.TroubleMissed, api.TroubleLate, api.TroubleLastSlot:
		p.Path, p.Link, p.Text = "/schedules", "See the schedules", fault.Plural(len(same), "schedule")
	default:
		p.Path, p.Link = "/handlers?order=health", "See the handlers"
	}
	return p
}

func problemOf(s *api.Status, t api.Trouble) problem {
	p := problem{Trouble: t, Title: cmp.Or(titles[t.What], t.What)}
	handler, schedule := "/handlers/"+url.PathEscape(t.Name), "/schedules/"+url.PathEscape(t.Name)
	runs := func(state string) string {
		return "/runs?" + url.Values{"handler": {t.Name}, "state": {state}}.Encode()
	}
	switch t.What {
	case api.TroubleStopping:
		p.Bad = true
	case api.TroubleStore, api.TroubleTLS, api.TroublePruning, api.TroubleSpans:
		p.Path, p.Link, p.Bad = "/settings", "Look at the settings", t.What == api.TroubleStore && s.WAL.Full
	case api.TroubleReload:
		p.Path, p.Link, p.Bad = "/wiring/files?of=disk", "See where it is wrong", true
	case api.TroubleDead:
		p.About, p.Path, p.Link, p.Bad = handler, runs("dead"), "See them, retry or drop", true
	case api.TroubleFailing:
		p.About, p.Path, p.Link = handler, runs("retrying"), "See them"
	case api.TroubleSilent, api.TroubleBehind, api.TroubleLeft, shape.TroubleNodes:
		p.About, p.Path, p.Link = handler, handler, "Look at the handler"
		p.Bad = t.What == api.TroubleSilent
	case api.TroubleLate, api.TroubleMissed:
		p.About, p.Path, p.Link, p.Bad = schedule, schedule, "Look at the schedule", t.What == api.TroubleLate
	case api.TroubleLastSlot:
		p.About, p.Path, p.Link = schedule, schedule, "Look at the schedule"
		i := slices.IndexFunc(s.Schedules, func(x api.Schedule) bool { return x.Name == t.Name })
		if i >= 0 && s.Schedules[i].LastRuns != nil {
			p.Path, p.Link = "/events/"+strconv.FormatInt(s.Schedules[i].LastRuns.Sequence, 10), "See what came of it"
		}
	case api.TroublePaused:
		p.About, p.Path, p.Link = handler, handler, "Look at the handler"
		switch { // what the wiring file has paused is resumed there
		case strings.HasPrefix(t.Do, "evrun schedules resume "):
			p.About, p.Path, p.Link, p.Resume = schedule, schedule, "Look at the schedule", "schedules"
		case t.Do != "":
			p.Resume = "handlers"
		}
	}
	return p
}

// Uptime is how long the daemon has been running.
func (o overview) Uptime() time.Duration { return time.Since(o.Status.StartedAt).Round(time.Second) }
