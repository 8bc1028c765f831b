package access

import (
	"slices"
	"strings"

	"evrun/events"
	"evrun/tasks/fault"
)

// Right is what a route asks for.
type Right string

// The rights of routes. A route without a right is refused.
const (
	Open    Right = "open"    // needs no token
	Any     Right = "any"     // needs a valid token, whatever it allows
	Read    Right = "read"    // see what is stored
	Emit    Right = "emit"    // publish events
	Operate Right = "operate" // step in: retry, cancel, pause, replay; includes Read
	Admin   Right = "admin"   // erase, prune, tokens; includes all others
)

// Rights are what a token allows. The zero value allows nothing.
type Rights struct {
	texts   []string
	level   int              // of levels, from 1; 0: none of them
	emitAll bool             // events of all types
	emit    []events.Pattern // else of these
}

// levels are the rights that include the one before.
var levels = []Right{Read, Operate, Admin}

// all is what the socket's clients and the owner may do.
var all = Rights{texts: []string{string(Admin)}, level: len(levels), emitAll: true}

// ParseRights reads rights as people write them: read, operate, admin, emit, or emit and a pattern: emit github.>.
func ParseRights(texts []string) (Rights, *fault.Fault) {
	var r Rights
	for i, text := range texts {
		if f := r.add(text); f != nil {
			f.Path = append([]any{i}, f.Path...)
			return Rights{}, f
		}
	}
	return r, nil
}

func (r *Rights) add(text string) *fault.Fault {
	words := strings.Fields(text)
	if len(words) == 0 {
		return fault.New("the right is empty").Hinting("write %s", known)
	}
	level := slices.Index(levels, Right(words[0]))
	switch {
	case slices.Contains(r.texts, strings.Join(words, " ")):
		return fault.New("the right %s is given twice", fault.Quote(text))
	case words[0] == string(Emit) && len(words) > 2:
		return fault.New("%s has more than one pattern", fault.Quote(text)).Hinting("write a right for each pattern: emit %s, emit %s", fault.Clip(words[1], 60), fault.Clip(words[2], 60))
	case words[0] == string(Emit) && len(words) == 2:
		p, err := events.ParsePattern(words[1])
		if err != nil {
			return fault.New("%s: %v", fault.Quote(text), err)
		}
		if events.Reserved(words[1]) {
			return fault.New("%s: types that begin with %q are evrun's own, and nobody else can publish them", fault.Quote(text), events.ReservedPrefix)
		}
		r.emit = append(r.emit, p)
	case words[0] == string(Emit):
		r.emitAll = true
	case level < 0:
		f := fault.New("%s is not a right", fault.Quote(text))
		if word := fault.Closest(words[0], []string{string(Read), string(Emit), string(Operate), string(Admin)}); word != "" {
			return f.Hinting("%s", fault.Suggest(word))
		}
		return f.Hinting("write %s", known)
	case len(words) > 1:
		return fault.New("only emit takes a pattern, and not %s", words[0])
	default:
		r.level = max(r.level, level+1)
		r.emitAll = r.emitAll || words[0] == string(Admin)
	}
	r.texts = append(r.texts, strings.Join(words, " "))
	return nil
}

const known = "read, operate, admin, emit, or emit and a pattern such as emit github.>"

// Texts are the rights as they were written.
func (r Rights) Texts() []string { return r.texts }

// Allow reports whether the rights include a right. Emit is included if events of at least one type may be published.
func (r Rights) Allow(right Right) bool {
	switch right {
	case Open:
		return true
	case Any:
		return len(r.texts) > 0
	case Emit:
		return r.emitAll || len(r.emit) > 0
	}
	level := slices.Index(levels, right)
	return level >= 0 && r.level > level
}

// MayEmit reports whether events of a type may be published.
func (r Rights) MayEmit(typ string) bool {
	return r.emitAll || slices.ContainsFunc(r.emit, func(p events.Pattern) bool { return p.Match(typ) })
}

// String lists the rights for people.
func (r Rights) String() string {
	if len(r.texts) == 0 {
		return "none"
	}
	return strings.Join(r.texts, ", ")
}
