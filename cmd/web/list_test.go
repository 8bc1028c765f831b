package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/events"
)

// The pages of lists that are searched say how far a search came, and lead on.
func TestASearchThatGoesOnSaysHowFarItCame(t *testing.T) {
	info := api.PageInfo{Next: "41", Scanned: 1200, Progress: 0.25}
	for name, c := range map[string]struct {
		data any
		of   string
	}{
		"events": {eventList{found: found[*events.Event]{PageInfo: info}}, "the journal. "},
		"runs":   {runList{found: found[api.Run]{PageInfo: info}}, "the journal, 1,200 runs in this step. "},
		"users":  {userList{found: found[api.User]{PageInfo: info}}, "the users. "},
	} {
		r := httptest.NewRequest(http.MethodGet, "/"+name+"?where=data.a", nil)
		v := view{Data: c.data, request: &request{Request: r, query: r.URL.Query(), now: time.Now(), who: access.From(r.Context())}}
		var page bytes.Buffer
		if err := parse()[name].execute(&page, v); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Searched 25 % of " + c.of, `value="25"`, `href="?after=41&amp;where=data.a" data-search-on`} {
			if !strings.Contains(page.String(), want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
}
