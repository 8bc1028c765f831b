package yaml

import "strings"

// longest is how long a text in brackets may be that is written anew in a hint.
const longest = 120

// quotedIn returns the text in brackets that begin at open with quotes around what has a ${ … } in it, such as the one at the offset at. In a list, the
// words of an item become items, as a command needs them. For what is longer than a line it says "${ … }" only.
func quotedIn(src string, open, at int) string {
	const any = `"${ … }"`
	if src[open] == '{' {
		begin := strings.LastIndex(src[open:at], ": ")
		if begin < 0 {
			return any
		}
		begin += open + len(": ")
		text, ok := upTo(src[begin:], ",}")
		if !ok || at-begin > len(text) {
			return any
		}
		return inQuotes(strings.TrimSpace(text))
	}
	var items []string
	for rest := src[open+1:]; ; {
		text, ok := upTo(rest, ",]")
		if !ok || strings.ContainsAny(strings.TrimSpace(text), "[") {
			return any
		}
		switch item := strings.TrimSpace(text); {
		case item == "", !strings.Contains(item, "${"), item[0] == '"', item[0] == '\'':
			items = append(items, item)
		default:
			for item != "" {
				var word string
				word, item = firstWord(item)
				if strings.Contains(word, "${") {
					word = inQuotes(word)
				}
				items = append(items, word)
			}
		}
		if rest = rest[len(text):]; rest[0] == ']' {
			return "[" + strings.Join(items, ", ") + "]"
		}
		rest = rest[1:]
	}
}

// upTo returns the text before the first of the ends that stands outside of ${ … } and of quotes, on its line.
func upTo(src, ends string) (text string, ok bool) {
	inside, quote := false, byte(0)
	for i := 0; i < min(len(src), longest); i++ {
		switch c := src[i]; {
		case c == '\n':
			return "", false
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case inside:
			inside = c != '}'
		case strings.HasPrefix(src[i:], "${"):
			inside = true
		case strings.IndexByte(ends, c) >= 0:
			return src[:i], true
		case (c == '"' || c == '\'') && strings.TrimSpace(src[:i]) == "":
			quote = c
		}
	}
	return "", false
}

// firstWord cuts a text at the first space outside of ${ … }.
func firstWord(text string) (word, rest string) {
	inside := false
	for i := range len(text) {
		switch {
		case inside:
			inside = text[i] != '}'
		case strings.HasPrefix(text[i:], "${"):
			inside = true
		case text[i] == ' ':
			return text[:i], strings.TrimLeft(text[i:], " ")
		}
	}
	return text, ""
}

// inQuotes puts a text in quotes, so that it stays as it is.
func inQuotes(text string) string {
	if strings.ContainsAny(text, `"\`) {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return `"` + text + `"`
}
