package secrets

import "strings"

// A text that is a part of a longer one may begin or end inside a secret, which [Set.Redact] then can't recognize.

// Begun returns how many bytes at the end of a text are the beginning of a secret, if the rest of it follows; the most, if it could be several.
func (s *Set) Begun(text string) int {
	return s.longest(func(spelling string) int {
		for n := min(len(spelling)-1, len(text)); n > 0; n-- {
			if strings.HasSuffix(text, spelling[:n]) {
				return n
			}
		}
		return 0
	})
}

// Ended returns how many bytes at the beginning of a text are the end of a secret, if the rest of it precedes; the most, if it could be several.
func (s *Set) Ended(text string) int {
	return s.longest(func(spelling string) int {
		for n := min(len(spelling)-1, len(text)); n > 0; n-- {
			if strings.HasPrefix(text, spelling[len(spelling)-n:]) {
				return n
			}
		}
		return 0
	})
}

func (s *Set) longest(of func(spelling string) int) (most int) {
	if s == nil {
		return 0
	}
	most = s.more.longest(of)
	if r := s.ready(); r != nil {
		for _, spelling := range r.spellings {
			most = max(most, of(spelling))
		}
	}
	return most
}
