package browsertest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A user is found by a part of the name, leads to the event that made it, and a file has all that are found.
func TestUsersAreFound(t *testing.T) {
	s := openShop(t)
	b := newTab(t, s.url)
	b.signIn(s.token)
	b.open("/users")
	b.wait("there are users", `document.querySelectorAll("#rows tr").length === 4`)
	b.fill("[name=search]", "HOPPER example")
	b.press("Enter")
	b.wait("one is left", `document.querySelectorAll("#rows tr").length === 1`)
	if text := b.text("#rows"); !strings.Contains(text, "Grace Hopper") {
		t.Errorf("found %s", text)
	}
	link := value[string](b, `document.querySelector('a[href*="spreadsheet=true"]').href`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	file, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || strings.Count(string(file), "\n") != 2 || !strings.Contains(string(file), "Grace Hopper") || !strings.HasPrefix(string(file), "id,name,") {
		t.Errorf("%s: %d %q", link, res.StatusCode, file)
	}
	b.click("#rows a >> Grace")
	b.see("h1 >> Grace Hopper")
	b.click("main a >> user.registered")
	b.wait("the event", `location.pathname.startsWith("/events/")`)
	b.open("/users?search=nobody-of-this-name")
	b.see(".empty >> No user")
	for _, fault := range b.complaints() {
		t.Error(fault)
	}
}
