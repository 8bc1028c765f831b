package config

import (
	"slices"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/schedule"
	"evrun/tasks/schedule/slots"
)

const maxGrace = 24 * time.Hour

// slotKeys are the keys of each schedule: when its slots are, and the event of a slot.
type slotKeys struct {
	Name      name                 `key:"name,required" other:"id" doc:"Its events are named after it."`
	Every     time.Duration        `key:"every" other:"interval" doc:"Whole multiples of this: 5s, 10m, 1d."`
	Cron      string               `key:"cron" hint:"write five fields in quotes: \"0 9 * * MON-FRI\"" doc:"Five fields, or six with seconds first: 0 9 * * MON-FRI."`
	Daily     []string             `key:"daily" hint:"write a time of the day in quotes: \"08:00\"" min:"1" doc:"Times of the day: \"09:00\"."`
	Weekly    []string             `key:"weekly" hint:"write days and a time in quotes: \"MON-FRI 09:00\"" min:"1" doc:"Days and times: MON-FRI 09:00."`
	Monthly   []string             `key:"monthly" hint:"write days of the month and a time in quotes: \"1,15 09:00\"" min:"1" doc:"Days of the month and times: 1 09:00, last 18:00."`
	At        []instant            `key:"at" hint:"write a time: 2026-12-24T18:00:00Z" min:"1" doc:"Once: 2026-12-24T18:00:00Z."`
	Timezone  string               `key:"timezone" hint:"write an IANA name such as Europe/Paris" other:"tz,zone" doc:"For cron, daily, weekly and monthly: Europe/Paris. Default: the timezone of the file."`
	DST       string               `key:"dst" enum:"once,rhythm" doc:"What a change of the clocks does to cron: once is as people expect it, rhythm keeps the distance of the slots."`
	Missed    string               `key:"missed" enum:"skip,last,all" default:"last" doc:"What a start does about slots that passed meanwhile."`
	Grace     time.Duration        `key:"grace" doc:"How late a slot may be and still be on time. Default 1m."`
	MaxMissed int                  `key:"max_missed" min:"1" max:"100000" doc:"With missed: all, how many at most, the newest. Default 1000."`
	Overlap   string               `key:"overlap" enum:"allow,skip,queue" doc:"What happens to a slot while runs of the slot before go on. Default allow."`
	Paused    bool                 `key:"paused" doc:"No slots for now."`
	Subject   *expression.Template `key:"subject" scope:"slot" doc:"What the event is about. ${ … } sees slot."`
	Data      *expression.Value    `key:"data" scope:"slot" other:"payload" doc:"The data of the event. ${ … } in its texts sees slot.time, slot.unix and slot.number."`
	From      instant              `key:"from" other:"start" doc:"No slots before this time."`
	Until     instant              `key:"until" other:"end" doc:"No slots after this time."`
	Limit     int                  `key:"limit" min:"1" max:"9007199254740992" doc:"So many slots, then no more."`
	Except    []string             `key:"except" hint:"a day is 2026-12-25, and a range of days 2026-12-24..2026-12-31" min:"1" other:"skip,holidays,exclude" doc:"Times without slots: days in the schedule's zone, 2026-12-25 or 2026-12-24..2026-12-31, and the events of an iCalendar file, holidays.ics."`
	aboutKeys
	Jitter time.Duration `key:"jitter" doc:"Publishes up to so much later, to spread load."`
	Was    *name         `key:"was" doc:"The name that it had before: it continues where that schedule stopped, so that a new name neither loses nor repeats a slot."`
}

// scheduleKeys are the keys of a schedule that publishes an event.
type scheduleKeys struct {
	_ struct{} `owner:"a schedule"`
	slotKeys
	Emit eventType `key:"emit,required" other:"type,emits,publish" doc:"The type of the event that it publishes; in its place, do says what the schedule itself does."`
	Do   kind      `key:"do" other:"action,run,kind,uses" doc:"In place of emit: what it does at each slot. It is its own handler then, and the type of its event is schedule.NAME."` // jobKeys has it

	When        misplaced `key:"when,hidden" refused:"\"when\" goes with do only" hint:"leave it out: a handler of the event can have a when"`
	With        misplaced `key:"with,hidden" refused:"\"with\" goes with do only" hint:"leave it out; what the event says is under data"`
	Retry       misplaced `key:"retry,hidden" refused:"\"retry\" goes with do only" hint:"leave it out: a handler of the event can have a retry"`
	Timeout     misplaced `key:"timeout,hidden" refused:"\"timeout\" goes with do only" hint:"leave it out: a handler of the event can have a timeout"`
	Concurrency misplaced `key:"concurrency,hidden" refused:"\"concurrency\" goes with do only" hint:"leave it out; overlap: queue publishes a slot when the runs of the slot before have ended"`
	Command     misplaced `key:"command,hidden" refused:"\"command\" is an input, and belongs in with" hint:"write do: exec, and with: {command: […]}"`
	OnDead      misplaced `key:"on_dead,hidden" refused:"\"on_dead\" goes with do only" hint:"leave it out: a handler of the event can have an on_dead"`
}

// timings are the keys from which the slots are computed. If one of them is wrong, they are not checked together.
var timings = []string{"every", "cron", "daily", "weekly", "monthly", "at", "dst", "from", "until", "limit", "jitter"}

// ExtendSchema adds that a schedule has a timing.
func (*scheduleKeys) ExtendSchema(s map[string]any) { needsTiming(s) }

func needsTiming(s map[string]any) {
	var one []any
	for _, key := range timings[:6] {
		one = append(one, map[string]any{"required": []any{key}})
	}
	s["anyOf"] = one
}

// schedule reads one schedule, and its handler if it has a do; nil after a fault.
func (r *wiringReader) schedule(n *yaml.Node) (*schedule.Entry, *tasks.Handler) {
	if isJob(n) {
		return r.job(n)
	}
	before := len(r.faults)
	var k scheduleKeys
	faults := r.decode(n, &k, r)
	return r.slots(n, &k.slotKeys, string(k.Emit), faults, before), nil
}

// slots checks what a schedule publishes, and when; nil if there are more faults than before. faults are those of its keys.
func (r *wiringReader) slots(n *yaml.Node, k *slotKeys, typ string, faults []*fault.Fault, before int) *schedule.Entry {
	r.unique(n, "schedule", string(k.Name))
	s := &schedule.Entry{
		Name: string(k.Name), Type: typ, Subject: k.Subject, Data: k.Data, Grace: k.Grace, Missed: schedule.Missed(k.Missed),
		MaxMissed: k.MaxMissed, Overlap: schedule.Overlap(k.Overlap), Paused: k.Paused,
	}
	s.Description, s.Labels = string(k.Description), k.Labels
	if k.Was != nil {
		s.Was = string(*k.Was)
	}
	if k.Grace > maxGrace {
		r.report(n, fault.At([]any{"grace"}, "grace: %s is more than a day", k.Grace).Hinting("a slot that is later counts as missed: see the key missed"))
	}
	spec := k.spec()
	spec.Zone = r.zone
	_, zone := n.Lookup("timezone")
	if k.Timezone != "" {
		var err error
		if spec.Zone, err = slots.LoadZone(k.Timezone); err != nil {
			r.report(n, fault.Of(err))
		}
	}
	if spec.Zone != nil {
		spec.Except, s.Version = r.except(n, k.Except, spec.Zone)
	}
	if r.entries(n, k, faults) {
		var err error
		if s.Timing, err = slots.New(s.Name, spec); err != nil {
			if f := fault.Of(err); len(f.Path) > 0 || onlyKnown(n, faults) {
				r.timingFault(n, f)
			}
		}
	}
	if len(r.faults) == before {
		r.checkSchedule(n, zone, k)
		r.checkData(n, s.Type, s.Data)
	}
	if len(r.faults) > before || broken(n) {
		return nil
	}
	return s
}

func (k *slotKeys) spec() slots.Spec {
	spec := slots.Spec{
		Every: k.Every, Cron: k.Cron, Daily: k.Daily, Weekly: k.Weekly, Monthly: k.Monthly, DST: slots.DST(k.DST),
		From: k.From.Time, Until: k.Until.Time, Limit: int64(k.Limit), Jitter: k.Jitter,
	}
	for _, t := range k.At {
		spec.At = append(spec.At, t.Time)
	}
	return spec
}

// entries checks each entry of daily, weekly and monthly separately, to find all wrong ones. It reports whether the timing has no fault so far.
func (r *wiringReader) entries(n *yaml.Node, k *slotKeys, faults []*fault.Fault) bool {
	wrong := func(key string) bool {
		return slices.ContainsFunc(faults, func(f *fault.Fault) bool { return len(f.Path) > 0 && f.Path[0] == key })
	}
	fine := !slices.ContainsFunc(timings, wrong)
	for _, list := range []struct {
		key     string
		entries []string
		spec    func(entry []string) slots.Spec
	}{
		{"daily", k.Daily, func(entry []string) slots.Spec { return slots.Spec{Daily: entry} }},
		{"weekly", k.Weekly, func(entry []string) slots.Spec { return slots.Spec{Weekly: entry} }},
		{"monthly", k.Monthly, func(entry []string) slots.Spec { return slots.Spec{Monthly: entry} }},
	} {
		for i, entry := range list.entries {
			if entry == "" && wrong(list.key) {
				continue // it is not a text
			}
			if _, err := slots.New("", list.spec([]string{entry})); err != nil {
				f := *fault.Of(err)
				f.Path = []any{list.key, i}
				r.timingFault(n, &f)
				fine = false
			}
		}
	}
	return fine
}

// checkSchedule finds keys that have no effect.
func (r *wiringReader) checkSchedule(n, zone *yaml.Node, k *slotKeys) {
	switch {
	case zone == nil || len(k.Except) > 0: // the days are those of the zone
	case k.Every > 0:
		r.at(zone, "every takes no notice of a time zone", "leave timezone out, or write daily, weekly, monthly or cron in place of every: they follow a zone's clock")
	case len(k.At) > 0:
		r.at(zone, "at takes no notice of a time zone", "leave timezone out: each time has an offset of its own")
	}
	if most, _ := n.Lookup("max_missed"); most != nil && k.Missed != string(schedule.MissedAll) {
		r.at(most, `"max_missed" goes with missed: all only`, "")
	}
}

// timingFault records a fault in the timing of the schedule at n.
func (r *wiringReader) timingFault(n *yaml.Node, f *fault.Fault) {
	if at, _, whole := n.Follow(f.Path); whole && !f.Key && at.Kind == yaml.Scalar && f.Path[0] == "cron" { // each fault is one of its words
		r.inside(at, f.Offset, f.Message, f.Hint)
		return
	}
	r.report(n, f)
}
