package wiring

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"evrun/cmd/api/shape"
	"evrun/cmd/config"
	"evrun/cmd/hook"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/compare"
	"evrun/tasks/emitter"
	"evrun/tasks/schedule"
)

// The bounds of a comparison.
const (
	compareFor  = 10 * time.Second // how long events are compared
	perHandler  = 3                // differences that are told of each handler
	differences = 200              // of all
	lines       = 20               // of one difference
	longest     = 400              // bytes of a line
)

// Recorded calls each with events, the newest first, until an error of it, which it returns. more says whether there are further ones.
type Recorded func(ctx context.Context, each func(*events.Event) error) (more bool, err error)

// WhatIf reads the files that run with those that were sent in their places, and compares what both wirings would do with recorded events. It ends after 10
// seconds, with what was compared by then.
func (w *Wiring) WhatIf(ctx context.Context, sent []shape.WiringFile, recorded Recorded) (shape.WhatIf, error) {
	running := w.o.Current()
	result := shape.WhatIf{Findings: []shape.Finding{}, ByHandler: []*compare.Handler{}, Differences: []shape.Differing{}}
	// Without secrets on both sides, so that a file which was read here, edited and sent differs in nothing else. Some schemes of hooks refuse what stands for
	// a secret: then with them.
	redact := func(text string) string { return hidden(text, running.Secrets.Redact) }
	today, err := w.loadGiven(given(running, nil, redact))
	if err != nil {
		redact = func(text string) string { return text }
		today, err = w.loadGiven(given(running, nil, redact))
	}
	if err != nil {
		return result, fmt.Errorf("the files that run: %w", err)
	}
	edited, err := w.loadGiven(given(running, sent, redact))
	if faults, ok := errors.AsType[*config.Errors](err); ok {
		result.Findings = findingsOf(faults.Faults, running.Dir, running.Secrets.Redact)
		return result, nil
	}
	if err != nil {
		return result, err
	}
	result.Valid, result.Findings = true, findingsOf(edited.Warnings, running.Dir, running.Secrets.Redact)
	changes(&result, today.Wiring, edited.Wiring)
	err = judge(ctx, &result, compare.New(side(today), side(edited)), recorded)
	return result, err
}

// changes says what was added, removed and changed.
func changes(result *shape.WhatIf, was, is config.Wiring) {
	result.Types = tasks.Compare(was.Events, is.Events, func(t emitter.EventType) string { return t.Type },
		func(a, b emitter.EventType) bool { return a.Version == b.Version })
	result.Schedules = tasks.Compare(was.Schedules, is.Schedules, func(s *schedule.Entry) string { return s.Name },
		func(a, b *schedule.Entry) bool { return a.Version == b.Version })
	result.Hooks = tasks.Compare(was.Hooks, is.Hooks, func(h *hook.Hook) string { return h.Name },
		func(a, b *hook.Hook) bool { return a.Version == b.Version })
	result.Handlers = tasks.Compare(was.Handlers, is.Handlers, func(h *tasks.Handler) string { return h.Name },
		func(a, b *tasks.Handler) bool { return a.Version == b.Version })
}

// side is a wiring as one side of a comparison.
func side(cfg *config.Config) compare.Wiring {
	em := emitter.New(store.Journal(nil), cfg.Settings.Server.MaxEvent)
	em.Declare(cfg.Wiring.Events, cfg.Wiring.StrictTypes)
	return compare.Wiring{Handlers: cfg.Wiring.Handlers, Secrets: cfg.Secrets, Refuses: func(e *events.Event) error {
		return em.Stamp(&events.Event{Type: e.Type, ID: e.ID, Source: e.Source, Time: e.Time, DataContentType: e.DataContentType, Data: e.Data})
	}}
}

// errEnough ends a comparison that takes too long.
var errEnough = errors.New("enough was compared")

// judge compares the events.
func judge(ctx context.Context, result *shape.WhatIf, c *compare.Comparison, recorded Recorded) error {
	until, told := time.Now().Add(compareFor), map[string]int{}
	enough := func() error {
		if time.Now().After(until) {
			return errEnough
		}
		return ctx.Err()
	}
	more, err := recorded(ctx, func(e *events.Event) error {
		if err := enough(); err != nil {
			return err
		}
		if !e.AcceptedAt.IsZero() {
			at := e.AcceptedAt.UTC()
			result.Since = &at
		}
		return c.Each(e, func(d compare.Difference) error {
			if len(d.What) == 0 {
				return enough()
			}
			if told[d.Handler]++; told[d.Handler] <= perHandler && len(result.Differences) < differences {
				result.Differences = append(result.Differences, shape.Differing{Sequence: e.Sequence, EventID: e.ID, Type: e.Type, Handler: d.Handler, What: brief(d.What)})
			}
			return enough()
		})
	})
	if errors.Is(err, errEnough) {
		more, err = true, nil
	}
	result.Compared, result.More, result.Differ, result.ByHandler = c.Events, more, c.Differ, c.Handlers()
	result.Refused = shape.Refused{Before: c.Refused.Before, After: c.Refused.After}
	return err
}

// brief bounds the words about a difference: they may have whole payloads.
func brief(what []string) []string {
	short := make([]string, 0, min(len(what), lines))
	for i, line := range what {
		if i == lines {
			return append(short, fmt.Sprintf("and %d more", len(what)-lines))
		}
		if len(line) > longest {
			cut := longest
			for cut > 0 && !utf8.RuneStart(line[cut]) {
				cut--
			}
			line = line[:cut] + "…"
		}
		short = append(short, line)
	}
	return short
}
