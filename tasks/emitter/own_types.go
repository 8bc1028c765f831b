package emitter

import (
	"strings"

	"evrun/events"
	"evrun/tasks/fault"
)

// ParsePattern is [events.ParsePattern], and also refuses a pattern that no event can ever match: a pattern under [events.ReservedPrefix] that
// selects none of evrun's own types. Its error is an [*events.PatternError].
func ParsePattern(s string) (events.Pattern, error) {
	p, err := events.ParsePattern(s)
	if err == nil && p.Hopeless() {
		return events.Pattern{}, &events.PatternError{Pattern: s, Offset: foreignToken(s), Msg: "matches none of evrun's own types", Hint: ownTypesHint(s)}
	}
	return p, err
}

// foreignToken returns the offset of the first token with which the pattern matches none of evrun's own types.
func foreignToken(pattern string) int {
	furthest := 0
	for _, t := range events.OwnTypes() {
		at, rest := 0, t.Type
		for {
			want, _, more := strings.Cut(pattern[at:], ".")
			token, after, _ := strings.Cut(rest, ".")
			if !more || want != token && want != "*" {
				break
			}
			at, rest = at+len(want)+1, after
		}
		furthest = max(furthest, at)
	}
	return furthest
}

// ownTypesHint suggests the own type that was probably meant, or lists all own types: those of the audit trail one by one only for a pattern of theirs.
func ownTypesHint(pattern string) string {
	var all, others, audit []string
	for _, t := range events.OwnTypes() {
		all = append(all, t.Type)
		if strings.HasPrefix(t.Type, events.AuditPrefix) {
			audit = append(audit, t.Type)
		} else {
			others = append(others, t.Type)
		}
	}
	if hint := fault.DidYouMean(pattern, all); hint != "" && !strings.ContainsAny(pattern, "*>") {
		return hint
	}
	if strings.HasPrefix(pattern, events.AuditPrefix) {
		return "its own types there are " + fault.And(audit)
	}
	return "its own types are " + fault.And(append(others, events.AuditPrefix+">"))
}

// checkOwn refuses a type under [events.ReservedPrefix] that evrun does not have.
func checkOwn(typ string) error {
	if events.Reserved(typ) && !events.Own(typ) {
		return refused("type %q is not one of evrun's own types; %s", typ, ownTypesHint(typ))
	}
	return nil
}
