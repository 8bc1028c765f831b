package hook

import "time"

// Traffic is a hook, and what happened to it since the daemon began.
type Traffic struct {
	Name        string            `json:"name"`
	Path        string            `json:"path"`            // where it is: /hooks/NAME
	Type        string            `json:"type"`            // of its events, as it is written
	Verify      string            `json:"verify"`          // the scheme
	Allow       []string          `json:"allow,omitempty"` // addresses and networks that may send
	Rate        string            `json:"rate,omitempty"`  // of requests
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`

	Accepted   int64            `json:"accepted"`          // requests that made an event
	Duplicates int64            `json:"duplicates"`        // requests whose event was known
	Ignored    int64            `json:"ignored"`           // when was false
	Challenges int64            `json:"challenges"`        // questions of senders that were answered
	Rejected   int64            `json:"rejected"`          // refused requests
	Reasons    map[Reason]int64 `json:"reasons,omitempty"` // how many were rejected for each reason

	AcceptedAt *time.Time `json:"accepted_at,omitempty"` // when the last one was accepted
	RejectedAt *time.Time `json:"rejected_at,omitempty"` // when the last one was refused

	Rejections []Rejection `json:"rejections,omitempty"` // the last 100, the newest first; in lists none
}

// LabelsOf returns the labels, for a selection by them.
func (s Traffic) LabelsOf() map[string]string { return s.Labels }

// All returns the hooks in the order of the file, without their rejections.
func (rc *Receiver) All() []Traffic {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	list := make([]Traffic, len(rc.order))
	for i, name := range rc.order {
		list[i] = rc.hooks[name].status()
	}
	return list
}

// Of returns one hook with its rejections.
func (rc *Receiver) Of(name string) (Traffic, bool) {
	s := rc.state(name)
	if s == nil {
		return Traffic{}, false
	}
	st := s.status()
	st.Rejections = s.last.newest()
	return st, true
}

// Unknown is how many requests came for hooks that don't exist.
func (rc *Receiver) Unknown() int64 { return rc.unknown.Load() }

func (s *state) status() Traffic {
	h := s.hook
	st := Traffic{
		Name: h.Name, Path: h.Path(), Type: h.Type.String(), Verify: h.Verify.Scheme, Description: h.Description, Labels: h.Labels,
		Accepted: s.accepted.Load(), Duplicates: s.duplicates.Load(), Ignored: s.ignored.Load(), Challenges: s.challenges.Load(),
		AcceptedAt: timeOf(s.acceptedAt.Load()), RejectedAt: timeOf(s.rejectedAt.Load()),
	}
	for _, p := range h.Allow {
		st.Allow = append(st.Allow, p.String())
	}
	if h.Rate.Count > 0 {
		st.Rate = h.Rate.String()
	}
	for i, reason := range Reasons {
		if n := s.rejected[i].Load(); n > 0 {
			if st.Reasons == nil {
				st.Reasons = map[Reason]int64{}
			}
			st.Reasons[reason] = n
			st.Rejected += n
		}
	}
	return st
}

// Results are how many requests had each result: accepted, duplicate, ignored, challenge, and the reasons why requests to a hook are refused.
func (t *Traffic) Results() map[string]int64 {
	all := map[string]int64{"accepted": t.Accepted, "duplicate": t.Duplicates, "ignored": t.Ignored, "challenge": t.Challenges}
	for _, reason := range Reasons {
		if reason != Unknown {
			all[string(reason)] = t.Reasons[reason]
		}
	}
	return all
}

func timeOf(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := time.UnixMicro(micros).UTC()
	return &t
}
