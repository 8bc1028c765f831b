package shorthand

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
)

// word is a word of a line, which stands there from start to end.
type word struct {
	start, end int
	at         []int // the offsets of its bytes: all of them but quotes
}

// lineFault is a fault in a line, from its Offset to end.
type lineFault struct {
	fault.Fault
	end int
}

// wordsOf splits a line at blanks. "…" and '…' group what has blanks or signs of a shell in it, also within a word, and have no escapes. Each ${ … } is a
// part of one word, whatever stands in it and whatever its value has in it. What only a shell would understand is a fault.
func wordsOf(line string) ([]word, *lineFault) {
	s := &splitter{line: line, quoted: -1}
	for s.i < len(line) {
		if f := s.step(); f != nil {
			return nil, f
		}
	}
	if s.quoted >= 0 {
		return nil, s.fault(s.quoted, s.quoted+1, "this quote is never closed", `close it; a word that has one in it stands in quotes of the other sort, as in "it's"`)
	}
	s.endWord()
	return s.words, nil
}

type splitter struct {
	line   string
	i      int
	words  []word
	word   *word // nil between words
	quoted int   // where the open quote is; -1: no quote is open
}

func (s *splitter) fault(start, end int, msg, hint string) *lineFault {
	return &lineFault{fault.Fault{Offset: start, Message: msg, Hint: hint}, end}
}

// take takes bytes of the line up to an offset into the word.
func (s *splitter) take(end int) {
	if s.word == nil {
		s.word = &word{start: s.i}
	}
	for ; s.i < end; s.i++ {
		s.word.at = append(s.word.at, s.i)
	}
}

func (s *splitter) endWord() {
	if s.word != nil {
		s.word.end = s.i
		s.words, s.word = append(s.words, *s.word), nil
	}
}

// step steps over a byte of the line, or over an expression.
func (s *splitter) step() *lineFault {
	c, rest := s.line[s.i], s.line[s.i:]
	switch {
	case strings.HasPrefix(rest, "$${"):
		s.take(s.i + 3)
	case strings.HasPrefix(rest, "${"):
		end, err := expression.EndOf(s.line, s.i)
		if err != nil {
			return s.fault(err.Offset, err.Offset+1, err.Msg, err.Hint)
		}
		s.take(end + 1)
	case s.quoted >= 0 && c == s.line[s.quoted]:
		s.quoted = -1
		s.i++
	case s.quoted >= 0:
		s.take(s.i + 1)
	case c == '"' || c == '\'':
		s.take(s.i)
		s.quoted = s.i
		s.i++
	case strings.IndexByte(blanks, c) >= 0:
		s.endWord()
		s.i++
	default:
		if f := s.shell(rest); f != nil {
			return f
		}
		s.take(s.i + 1)
	}
	return nil
}

// shell finds what only a shell would understand at the beginning of the rest of the line.
func (s *splitter) shell(rest string) *lineFault {
	first := s.word == nil
	if m := assignment().FindString(rest); first && len(s.words) == 0 && m != "" {
		name := m[:len(m)-1]
		return s.fault(s.i, s.i+len(m), "no shell looks at this, so "+name+" is not set by it", "leave it out, and write with: {env: {"+name+`: "value"}}`)
	}
	if m := variable().FindString(rest); m != "" {
		hint := s.hint()
		switch name := m[1:]; {
		case len(s.words) == 0:
			hint = "the program is written out"
		case name[0] > '9':
			hint = "write ${ env('" + name + "') }, with double quotes around the whole text"
		}
		return s.fault(s.i, s.i+len(m), m+" is not replaced by anything here: no shell looks at this", hint)
	}
	switch c := rest[0]; {
	case c == '~' && first && (len(rest) == 1 || strings.IndexByte("/"+blanks, rest[1]) >= 0):
		return s.fault(s.i, s.i+1, "~ is not replaced by anything here: no shell looks at this", "write the path out")
	case c == '\\' && len(rest) > 1 && strings.IndexByte("\n\r", rest[1]) >= 0:
		return s.fault(s.i, s.i+1, `a \ at the end of a line has no meaning here`, "leave it out: the end of a line separates words as a blank does")
	case c == '\\' && len(rest) > 1 && strings.IndexByte(blanks+shellBytes+`'"\$~`, rest[1]) >= 0:
		return s.fault(s.i, s.i+1, `a \ has no meaning here: no shell looks at this`, "leave it out, and put the word in quotes")
	case strings.IndexByte(shellBytes, c) >= 0:
		return s.fault(s.i, s.i+1, fmt.Sprintf("no shell looks at this, so %c does nothing", c), s.hint())
	}
	return nil
}

// hint says how a shell gets the line.
func (s *splitter) hint() string {
	const quote = "put it in quotes if it is meant as it is; "
	text := strings.TrimSpace(s.line)
	switch {
	case strings.Contains(s.line, "${"):
		return quote + `a shell is do: exec and with: {shell: "…"}, which is constant: values come in by env, as "$NAME"`
	case len(text) > 60 || strings.Contains(text, "\n"):
		text = "…"
	}
	if strings.Contains(text, "'") {
		text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
		return quote + `or, for a shell, write do: exec and with: {shell: "` + text + `"}`
	}
	return quote + "or, for a shell, write do: exec and with: {shell: '" + text + "'}"
}

// shellBytes have a meaning for a shell wherever they stand.
const shellBytes = "|&;<>()`*?"

var (
	assignment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`) })
	variable   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*|[0-9]|\()`) })
)
