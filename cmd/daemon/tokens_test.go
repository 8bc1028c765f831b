package daemon_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/daemon/daemontest"
	"evrun/events"
)

// A reload that adds, changes and removes tokens of the file takes effect at once, also for streams that are open. A stream whose token has not changed goes on.
func TestAReloadAppliesTheTokensOfTheFile(t *testing.T) {
	secret := map[string]string{"stays": access.NewSecret(), "changes": access.NewSecret(), "goes": access.NewSecret(), "comes": access.NewSecret()}
	file := func(tokens ...string) string {
		text := "server:\n  listen: 127.0.0.1:0\n  watch: false\n  tokens:\n"
		for _, token := range tokens {
			name, right, _ := strings.Cut(token, " ")
			text += fmt.Sprintf("    - {name: %s, hash: %q, rights: [%s]}\n", name, access.HashOf(secret[name]), right)
		}
		return text + "handlers: [{name: note, on: a.b, do: log, with: {message: x}}]\n"
	}
	d := daemontest.Start(t, file("stays read", "changes read", "goes read"))
	status, err := d.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	get := func(token, path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, status.TCP.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	expect := func(when, name string, want int) {
		t.Helper()
		if res := get(secret[name], "/v1/status"); res.StatusCode != want {
			t.Errorf("%s: the token that %s: %s, want %d", when, name, res.Status, want)
		}
	}
	open := func(name string) *bufio.Reader {
		in := bufio.NewReader(get(secret[name], "/v1/stream").Body)
		for line := ""; !strings.HasPrefix(line, "event: head"); {
			if line, err = in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		return in
	}
	reload := func(text string) {
		t.Helper()
		d.Write(t, text)
		if done, err := d.Reload(t.Context()); err != nil || !slices.Contains(done.Settings, "server.tokens") {
			t.Fatalf("%+v, %v", done, err)
		}
	}

	stays, changes, goes := open("stays"), open("changes"), open("goes")
	expect("before", "comes", http.StatusUnauthorized)
	d.Write(t, "server: {tokens: 7}\n")
	if _, err := d.Reload(t.Context()); err == nil {
		t.Error("a wrong file was loaded")
	}
	expect("after a wrong file", "goes", http.StatusOK)
	reload(file("comes operate", "stays read", "changes emit"))
	for name, want := range map[string]int{"stays": http.StatusOK, "changes": http.StatusForbidden, "goes": http.StatusUnauthorized, "comes": http.StatusOK} {
		expect("after the reload", name, want)
	}
	for _, in := range []*bufio.Reader{changes, goes} { // they end, without a new event
		if _, err := io.Copy(io.Discard, in); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Emit(t.Context(), &events.Event{Type: "a.b", Source: "/t"}); err != nil {
		t.Fatal(err)
	}
	for line := ""; !strings.HasPrefix(line, "event: event"); {
		if line, err = stays.ReadString('\n'); err != nil {
			t.Fatalf("the stream of a token that stays: %v", err)
		}
	}

	// A token that is in the file and in the store is valid as long as one of them has it.
	made, err := d.CreateToken(t.Context(), api.TokenRequest{Name: "both", Rights: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	secret["twin"] = made.Secret
	reload(file("twin read"))
	expect("in both", "twin", http.StatusOK)
	expect("after it was removed", "stays", http.StatusUnauthorized)
	reload(file("comes read"))
	expect("in the store alone", "twin", http.StatusOK)
	reload(file("twin read"))
	if _, err := d.RevokeToken(t.Context(), "both"); err != nil {
		t.Fatal(err)
	}
	expect("in the file alone", "twin", http.StatusOK)
	reload(file("comes read"))
	expect("in none", "twin", http.StatusUnauthorized)
}
