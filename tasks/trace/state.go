package trace

import (
	"slices"
	"strings"
)

// The bounds of a tracestate. W3C asks for at least 512 bytes; an extension attribute may have 1,024.
const (
	maxState   = 1024 // bytes
	maxMembers = 32
	longMember = 128 // bytes: those beyond it go first when a state is too long
)

// cleanState checks a tracestate, and returns it without blanks and empty members; empty if it is not valid. Of two members with one key the first stays.
func cleanState(s string) string {
	if strings.Trim(s, " \t,") == "" {
		return ""
	}
	var members []string
	size := -1
	for rest, more := s, true; more; {
		var member string
		member, rest, more = strings.Cut(rest, ",")
		if member = strings.Trim(member, " \t"); member == "" {
			continue
		}
		key, ok := checkMember(member)
		if !ok || len(members) == maxMembers {
			return ""
		}
		if slices.ContainsFunc(members, func(m string) bool { return strings.HasPrefix(m, key) && m[len(key)] == '=' }) {
			continue
		}
		members = append(members, member)
		size += 1 + len(member)
	}
	for i := len(members) - 1; i >= 0 && size > maxState; i-- {
		if n := len(members[i]); n > longMember {
			members = slices.Delete(members, i, i+1)
			size -= n + 1
		}
	}
	for size > maxState {
		last := len(members) - 1
		size -= len(members[last]) + 1
		members = members[:last]
	}
	return strings.Join(members, ",")
}

// checkMember returns the key of a member of a tracestate: key=value.
func checkMember(member string) (key string, ok bool) {
	key, value, ok := strings.Cut(member, "=")
	if !ok || key == "" || len(key) > 256 || value == "" || len(value) > 256 || !lowerOrDigit(key[0]) {
		return "", false
	}
	for i := range len(key) {
		if c := key[i]; !lowerOrDigit(c) && strings.IndexByte("_-*/@", c) < 0 {
			return "", false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '=' { // a comma ends the member
			return "", false
		}
	}
	return key, true
}

func lowerOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
