package browsertest

import (
	"testing"
)

// The plots of the overview and of a handler are drawn, go on by themselves, and go on after a restart of the daemon; what is paused is resumed where it is
// named, and by a key.
func TestThePlotsGoOn(t *testing.T) {
	browser(t)
	d := serve(t, `
store: evrun.db
server: {socket: evrun.sock, listen: LISTEN, watch: false}
schedules:
  - {name: pulse, every: 1s, emit: pulse.due}
handlers:
  - {name: work, on: pulse.due, do: exec, with: {command: ["true"]}, timeout: 1m}
  - {name: rest, on: pulse.due, do: log, with: {message: x}}
`)
	if _, err := d.PauseHandler(t.Context(), "rest", ""); err != nil {
		t.Fatal(err)
	}
	b := newTab(t, d.url)
	b.signIn(d.token)
	b.open("/")
	const accepted = `document.querySelector("[data-plot=rate] .series b").textContent`
	b.wait("events are accepted, by the plot", accepted+` >= "1"`)
	b.wait("attempts took some time, by the plot", `document.querySelectorAll("[data-plot=latency] .series b")[1].textContent.endsWith("s")`)
	b.wait("events wait, by the plot", `Number(document.querySelector("[data-plot=backlog] .series b").textContent) > 0`)
	if colours := value[int](b, `(() => { const c = document.querySelector("[data-plot=rate] canvas"); const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		const seen = new Set(); for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) seen.add(d[i] + "," + d[i + 1] + "," + d[i + 2]); return seen.size; })()`); colours < 4 {
		t.Errorf("the plot has %d colours", colours)
	}
	b.click("#problems button >> Resume")
	b.see("#problems >> Nothing needs you")

	d.kill()
	b.wait("the page says that it is not current", `document.querySelector("[data-plots-note]").textContent.startsWith("Not current")`)
	d.start()
	b.wait("the plots go on", `document.querySelector("[data-plots-note]").textContent === "" && `+accepted+` >= "1"`)
	b.click(".chip >> 15 minutes")
	b.see("#plots-title >> The last 15 minutes")

	b.open("/handlers/work")
	b.wait("runs end, by the plot of the handler", `Number(document.querySelector("[data-plot=rate] .series b").textContent) > 0`)
	b.press("p")
	b.click("dialog button >> Pause")
	b.see("#head .state >> paused")
	b.press("p")
	b.see("#head .state >> ok")
	b.see("[data-errors] >> No run of it is dead or retrying")
}
