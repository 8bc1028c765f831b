package output

import (
	"strings"

	"evrun/cmd/api"
)

// Tokens are the columns of a list of tokens.
func Tokens() []Column[api.Token] {
	return []Column[api.Token]{
		{Title: "NAME", Text: func(t api.Token) any { return t.Name }},
		{Title: "FROM", Text: func(t api.Token) any {
			return map[string]string{"owner": "evrun.token", "file": "the wiring file", "stored": "command"}[t.Source]
		}, Rank: 2},
		{Title: "RIGHTS", Text: func(t api.Token) any { return strings.Join(t.Rights, ", ") }, Least: 16},
		{Title: "RATE", Text: func(t api.Token) any { return t.Rate }, Rank: 3},
		{Title: "EXPIRES", Text: func(t api.Token) any {
			switch {
			case t.Over:
				return "expired"
			case t.Until == nil:
				return "never"
			}
			return Ago(*t.Until)
		}},
		{Title: "USED", Text: func(t api.Token) any {
			if t.Used == nil {
				return ""
			}
			return Ago(*t.Used)
		}, Rank: 1},
	}
}
