package browsertest

import (
	"fmt"
	"strings"
	"testing"
)

const restartWiring = `
store: evrun.db
server: {socket: evrun.sock, listen: "LISTEN", watch: false}
handlers:
  - {name: note, on: order.*, do: log, with: {message: "${ data.n }"}}
log: {level: error}
`

// A page that is open goes on after the daemon was killed and started again: it says so meanwhile, shows each event once, and misses none, of those either
// that came before it was connected again. Pages that refresh show what is there now. Nobody has to sign in again.
func TestARestartUnderAnOpenPage(t *testing.T) {
	t.Parallel()
	browser(t)
	d := serve(t, restartWiring)
	live, list := newTab(t, d.url), newTab(t, d.url)
	for _, b := range []*tab{live, list} {
		b.signIn(d.token)
	}
	live.open("/live")
	list.open("/events")
	n := 0
	emit := func(times int) {
		for range times {
			n++
			d.emit("order.placed", fmt.Sprintf(`{"n": %d}`, n))
		}
	}
	shown := func(b *tab, what string) {
		t.Helper()
		want := make([]string, n)
		for i := range want {
			want[i] = fmt.Sprint(i + 1)
		}
		numbers := fmt.Sprintf(`[...document.querySelectorAll("main [data-list] [data-item]")].filter(e => e.innerText.includes("order.placed")).map(e => e.innerText.match(/#(\d+)/)[1]).sort((a, b) => a - b).join(" ") === %s`, quote(strings.Join(want, " ")))
		b.wait(what, numbers)
	}
	emit(10)
	shown(live, "the page Live shows what came")
	shown(list, "the page Events shows what came")
	d.kill()
	live.wait("the page says that the connection is broken", `/reconnect|no connection|connect again|not answer/i.test(document.body.innerText)`)
	list.wait("a page that refreshes says so, too", `/no answer from evrun since .*trying again/i.test(document.body.innerText)`)
	d.start()
	emit(10) // before the page is connected again, or while it is being connected
	shown(live, "the page Live shows each event once, and all of them")
	live.wait("the page is live again", `!/reconnecting/i.test(document.body.innerText)`)
	shown(list, "the page Events shows what came meanwhile")
	list.wait("the page says no more that nothing answers", `!/no answer/i.test(document.body.innerText)`)
	emit(5)
	shown(live, "the page Live goes on")
	for _, b := range []*tab{live, list} {
		if at := value[string](b, "location.pathname"); at == "/sign-in" {
			t.Error("somebody has to sign in again")
		}
		for _, complaint := range b.complaints() {
			if !strings.Contains(complaint, "net::ERR_") { // as it must be, while there is no daemon
				t.Error(complaint)
			}
		}
	}
}
