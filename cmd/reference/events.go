package reference

import (
	"fmt"
	"strings"

	"evrun/events"
)

// ownEvents is the page of evrun's own events.
func ownEvents(Sources) (string, error) {
	var p page
	p.heading(1, "evrun's own events")
	p.line("The events that evrun itself publishes, with their data: wire handlers to them to be told when a run is dead, when slots were left out, or who did what. They")
	p.line("are in the journal like all others: `evrun events list 'evrun.>'`.\n")
	p.line("Nobody else can publish a type under `evrun.`, and other types under it do not exist: a handler, a test or a `tail` that names one is refused. Those under `evrun.audit.`")
	p.line("are the audit trail, one event for an action; an action that is refused or changes nothing leaves none. Data that would be too large is shortened, and lists what was")
	p.line("shortened in `shortened`.\n")
	p.code("yaml", `handlers:
  - name: alert
    on: evrun.run.dead
    do: notify
    with: {message: "${ data.handler } failed ${ data.attempt } times on #${ data.seq }: ${ data.error }"}
  - name: audit
    on: evrun.audit.>
    do: log
    with: {message: "${ data.who } did ${ event.type }"}
`)
	p.line("")
	var rows [][]string
	for _, own := range events.OwnTypes() {
		rows = append(rows, []string{fmt.Sprintf("[`%s`](%s)", own.Type, Anchor(own.Type)), own.Doc})
	}
	p.table([]string{"type", "when"}, rows)
	for _, own := range events.OwnTypes() {
		if len(own.Data) == 0 {
			return "", fmt.Errorf("%s has no description of its data in events/own.go", own.Type)
		}
		p.heading(2, own.Type)
		p.line("%s\n", own.Doc)
		rows = nil
		for _, m := range own.Data {
			when := ""
			if m.Some {
				when = " May be missing."
			}
			rows = append(rows, []string{quoted("data." + m.Name), m.Type, strings.TrimSpace(m.Doc + when)})
		}
		p.table([]string{"member", "type", "what it is"}, rows)
	}
	return p.String(), nil
}
