package search

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"evrun/store"
)

// The bounds of a search for users. Each user that is looked at costs about a microsecond.
const (
	mostWords = 8
	userLook  = 10_000 // ids of a scan
)

// Users searches the users for those whose name or e-mail address has each word of a text in it, in any case, from an id on: the cursor is the id of the
// page before. The page ends at its limit, or after about [StepTime]; see [Page].
func Users(ctx context.Context, s store.Users, text string, after int64, limit int) (page Page[store.User], err error) {
	var holding [][]string
	for _, word := range strings.Fields(text) {
		if len(holding) < mostWords {
			holding = append(holding, spellings(word))
		}
	}
	until := time.Now().Add(StepTime)
	for {
		part, err := s.SearchUsers(ctx, after, holding, limit+1-len(page.Items), userLook)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, part.Items...)
		page.Scanned += int64(part.Looked)
		after = part.Reached
		if total := part.Reached + part.Left; total > 0 {
			page.Progress = float64(part.Reached) / float64(total)
		}
		switch {
		case len(page.Items) > limit: // one more than wanted: there is a further page
			page.Items = page.Items[:limit]
			page.Next = strconv.FormatInt(page.Items[limit-1].ID, 10)
			return page, nil
		case part.End:
			page.Progress = 0
			return page, nil
		case time.Now().After(until):
			page.Next = strconv.FormatInt(after, 10)
			return page, nil
		}
	}
}

// spellings are a word as it may be written, with its ASCII letters in lower case: the store knows no others.
func spellings(word string) []string {
	list := []string{lowered(word)}
	first, size := utf8.DecodeRuneInString(word)
	for _, other := range []string{strings.ToLower(word), strings.ToUpper(word), string(unicode.ToTitle(first)) + strings.ToLower(word[size:])} {
		if other = lowered(other); other != list[0] && other != list[len(list)-1] {
			list = append(list, other)
		}
	}
	return list
}

// lowered is a text with its ASCII letters in lower case.
func lowered(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}
