package browsertest

import (
	"strconv"
	"strings"
	"testing"

	"evrun/cmd/api"
)

// What operators do with an event: write one by the form of its type and see what it causes, edit what failed and run it again, and run a handler again.
// Numbers keep all their digits, in the form and in the JSON. Who may only read sees the same, and has nothing to press.
func TestEvents(t *testing.T) {
	browser(t)
	d := serve(t, `
store: evrun.db
server: {socket: evrun.sock, listen: LISTEN, watch: false}
defaults: {retry: {attempts: 1}}
events:
  order.placed:
    description: Somebody ordered something.
    schema:
      type: object
      required: [order, total]
      properties: {order: {type: integer, minimum: 1}, total: {type: number}, city: {enum: [Paris, Lyon]}, lines: {type: array, items: {type: string}}}
handlers:
  - {name: charge, on: order.placed, do: exec, with: {shell: '[ "$TOTAL" -ne 1000 ] || sleep 0.5; [ "$TOTAL" -lt 900 ] || { echo declined >&2; exit 2; }', env: {TOTAL: "${ data.total }"}}, timeout: 1m}
  - {name: gift, on: order.placed, when: data.total > 500 and data.city == "Paris", do: log, with: {message: x}}
`)
	ctx := t.Context()
	b := newTab(t, d.url)
	b.dark(false) // without transitions between pages
	b.signIn(d.token)

	// The form is that of the type; what breaks the schema is said beside the field.
	b.open("/emit")
	b.fill("input[name=type]", "order.placed")
	b.press("Tab")
	b.see("[data-about] >> Somebody ordered something.")
	b.see("[data-would] >> charge")
	b.fill("[data-field='/order']", "0")
	b.see("[data-wrong='/order'] >> minimum")
	b.fill("[data-field='/order']", "12345678901234567890")
	b.fill("[data-field='/total']", "950")
	b.see("[data-would] li >> gift")
	b.see("[data-would] li >> would skip")
	b.click("[data-field='/lines'] >> Add lines")
	b.click("button >> Add to lines")
	b.fill("[data-field='/lines/0']", `<script>alert(1)</script> "quoted"`)
	b.wait("the JSON has what the fields have", `document.querySelector("#json").value.includes('"order": 12345678901234567890') && document.querySelector("#json").value.includes('\\"quoted\\"')`)
	b.click("#json")
	b.typed(" ") // the fields are made again of what is typed
	b.see("[data-field='/lines/0']")
	b.keep("emit")
	b.press("Control+Enter")
	b.see("#result tr >> dead")
	b.see("#result >> A run is dead.")
	b.keep("result")
	e, err := d.Event(ctx, strings.TrimPrefix(b.text("#result p a"), "#"))
	if err != nil || string(e.Data) == "" || !strings.Contains(string(e.Data), "12345678901234567890") || e.Source != "/dashboard" {
		t.Fatalf("%+v %v", e, err)
	}

	// What failed is edited and run again, in three clicks from its event; the change is shown before.
	b.open("/events/" + strconv.FormatInt(e.Sequence, 10))
	b.see(".account >> declined")
	b.see(".when li >> false")
	from := b.steps
	b.click(".account a >> Edit and run again")
	b.fill("[data-field='/total']", "20")
	b.see("[data-diff] ins >> 20")
	b.see("[data-would] >> The data fits")
	b.keep("edit")
	b.click("button.primary >> Run again")
	b.within(3, from)
	b.see("h1 >> order.placed")
	b.see("#accounts .account >> succeeded")
	b.see(".facts >> charge alone")
	again, err := d.Event(ctx, strings.Fields(strings.TrimPrefix(b.text("h1"), "#"))[0])
	if err != nil || again.Sequence == e.Sequence || again.Target != "charge" || !strings.Contains(string(again.Data), "12345678901234567890") {
		t.Fatalf("%+v %v", again, err)
	}

	// A replay leads to its event.
	b.press("r")
	b.click("dialog button >> Run again")
	b.see("h1 >> order.placed")
	b.wait("another event", `location.pathname !== "/events/`+strconv.FormatInt(again.Sequence, 10)+`"`)
	b.see(".facts >> repeats")

	// What is retried is followed on its page.
	failed := d.emit("order.placed", `{"order": 7, "total": 1000}`)
	b.open("/events/" + strconv.FormatInt(failed, 10))
	b.see(".account >> dead")
	b.click(".account button >> Retry")
	b.see(".account >> attempt 2")
	b.see(".account >> dead")

	b.open("/runs/" + strconv.FormatInt(failed, 10) + "-charge")
	b.see(".state >> dead")
	b.click("button >> Retry")
	b.see("#facts >> 3, of which 3 failed")
	b.see(".state >> dead")
	b.click("button.button >> Run again")
	b.click("dialog button >> Run again")
	b.see(".facts >> repeats")

	// A text that is no condition is looked for in all data.
	b.open("/events?where=quoted+%5B")
	b.see("#wrong")
	b.open("/events?where=%3Cscript%3E")
	b.click("#wrong a >> Look for this text")
	b.see("#rows tr >> order.placed")
	for _, fault := range b.complaints() {
		if !strings.Contains(fault, "status of 422") { // of data that breaks the schema
			t.Error(fault)
		}
	}

	made, err := d.CreateToken(ctx, api.TokenRequest{Name: "reader", Rights: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	r := newTab(t, d.url)
	r.signIn(made.Secret)
	r.open("/events/" + strconv.FormatInt(e.Sequence, 10))
	r.see(".account >> dropped")
	r.open("/emit?type=order.placed")
	r.see("form >> needs the right emit")
	if n := value[int](r, `document.querySelectorAll("[data-post]").length + document.querySelectorAll("button.primary:not([disabled])").length`); n > 0 {
		t.Errorf("there are %d buttons for who may only read", n)
	}
}
