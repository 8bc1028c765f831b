package openapi_test

import (
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
)

// The table of rights in access.md names all actions: each route that steps in has its word in the row of its right, and in no other one; and the row of operate has
// no word without a route.
func TestTheTableOfRightsIsThatOfTheRoutes(t *testing.T) {
	text, err := os.ReadFile("../../../.github/docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[access.Right][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(read|operate|admin|emit)` \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		rows[access.Right(row[1])] = regexp.MustCompile(`[a-z]+(-[a-z]+)*`).FindAllString(row[2], -1)
	}
	if len(rows) != 4 {
		t.Fatalf("the rows are %v", rows)
	}
	words := map[access.Right]map[string]bool{access.Read: {}, access.Operate: {}, access.Admin: {"erase": true}, access.Emit: {}}
	for _, r := range api.Routes {
		method, at, _ := strings.Cut(r.Pattern, " ")
		word := path.Base(at)
		switch {
		case r.Right == access.Open || r.Right == access.Any || r.Local:
			continue
		case strings.HasPrefix(at, "/v1/tokens"):
			word = "tokens"
		case at == "/v1/links":
			continue // of tokens
		case r.Right == access.Emit:
			word = "events"
		case r.Right == access.Read && word != "stream" && word != "metrics":
			if method != "GET" && at != "/v1/explain" {
				t.Errorf("%s needs only %s", r.Pattern, r.Right)
			}
			continue
		case word == "stream":
			word = "streams"
		}
		words[r.Right][word] = true
	}
	for right, list := range words {
		for word := range list {
			for other, row := range rows {
				if slices.Contains(row, word) != (other == right) {
					t.Errorf("%s needs %s, and the row of %s has %v", word, right, other, row)
				}
			}
		}
	}
	at := slices.Index(rows[access.Operate], "in") // stepping in:
	for _, word := range rows[access.Operate][at+1:] {
		if !words[access.Operate][word] && word != "import" {
			t.Errorf("no route is %s; those that need operate are %v", word, slices.Sorted(maps.Keys(words[access.Operate])))
		}
	}
}
