package cmd_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"evrun/store/storetest"
)

const forEachWiring = `
log: {level: error}
server: {grace: 5s}
handlers:
  - {name: split, on: load.inside, do: emit, with: {type: split.part, for_each: "1..7", data: {of: "${ event.id }", i: "${ index }"}}}
  - name: save
    on: load.inside
    do: user.insert
    with: {name: saved, email: "${ event.id }@example.com"}
    emit:
      - {type: save.known, for_each: "1..5", data: {of: "${ event.id }", i: "${ index }"}}
      - {type: save.result, for_each: "map(1..3, result.email)", data: {of: "${ event.id }", i: "${ index }", email: "${ item }"}}
  - {name: log, on: [split.part, save.known, save.result], do: log, with: {level: debug, message: "${ data.i }"}}
`

// forEachOverKills kills a daemon at random moments under load. For each accepted event there is each event of the lists exactly once, in order, and in
// the journal of the same transaction: side by side.
//
// EVRUN_KILLS is how many kills; 5, and 15 in .ci/run.
func forEachOverKills(t *testing.T) {
	proof(t)
	t.Parallel()
	kills := storetest.Size(t, "EVRUN_KILLS", 5, 15)
	dir := wired(t, forEachWiring)
	d := serve(t, dir, nil)
	d.ready(t)
	d.stop(t)
	l := openLedger(t, dir)
	load := emit(t.Context(), dir+"/evrun.sock", 4)
	defer load.done.Wait()
	defer load.stop()

	check := func() {
		t.Helper()
		l.none(t, "lists of which only a part is there", `
			SELECT type, data ->> 'of', count(*) AS n FROM events WHERE type IN ('split.part', 'save.known', 'save.result') GROUP BY 1, 2
			HAVING n != CASE type WHEN 'split.part' THEN 7 WHEN 'save.known' THEN 5 ELSE 3 END
				OR count(DISTINCT data ->> 'i') != n OR max(sequence) - min(sequence) != n - 1`)
		l.none(t, "events that are not in order", `
			SELECT sequence, data FROM (SELECT sequence, data, (data ->> 'i') - lag(data ->> 'i') OVER (PARTITION BY type, data ->> 'of' ORDER BY sequence) AS step
				FROM events WHERE type IN ('split.part', 'save.known', 'save.result')) WHERE step != 1`)
		l.none(t, "runs that have succeeded, without their events", `
			SELECT r.sequence FROM runs r JOIN handlers h ON h.id = r.handler JOIN events e USING (sequence) WHERE h.name = 'save' AND r.state = 3
				AND NOT EXISTS (SELECT 1 FROM users u WHERE u.email = e.id || '@example.com')`)
	}
	for kill := range kills {
		d := serve(t, dir, nil)
		if kill%5 > 0 {
			d.ready(t)
		}
		pauseFor(t.Context(), rand.N(250*time.Millisecond))
		d.kill(t)
		if check(); t.Failed() {
			t.Fatalf("after kill %d", kill+1)
		}
	}
	d = serve(t, dir, nil)
	d.ready(t)
	load.stop()
	load.done.Wait()
	const missing = `SELECT 15 * count(*) FILTER (WHERE type = 'load.inside') - count(*) FILTER (WHERE type IN ('split.part', 'save.known', 'save.result')) FROM events`
	l.eventually(t, 0, missing)
	d.stop(t)
	check()
	if n := l.number(t, missing); n != 0 {
		t.Errorf("%d events are missing", n)
	}
	l.none(t, "dead runs", `SELECT sequence, handler, error FROM runs WHERE state = 5`)
	t.Logf("%d kills: %d events, and 15 for each", kills, l.number(t, `SELECT count(*) FROM events WHERE type = 'load.inside'`))
}
