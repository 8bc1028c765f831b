package reference

import (
	"fmt"
	"strings"

	"evrun/cmd/config"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// keyExamples show some top-level keys at work. Each is a whole wiring file, which a test loads.
var keyExamples = map[string]string{
	"store":     "store: evrun.db\n",
	"server":    "server: {socket: evrun.sock, max_event: 1MiB, grace: 30s}\n",
	"log":       "log: {level: info, format: auto}\n",
	"retention": "retention: {events: 30d, size: 10GiB, dedupe: 30d}\n",
	"env":       "env: {TZ: Europe/Paris}\npass_env: [LANG, HTTP_PROXY]\n",
	"defaults":  "defaults: {retry: {attempts: 5, backoff: 1s, max: 1m}}\n",
	"events": `events:
  user.registered:
    description: Somebody signed up.
    schema: {type: object, required: [name, email], properties: {email: {type: string, format: email}}}
handlers:
  - {name: save-user, on: user.registered, do: user.insert, with: {name: "${ data.name }", email: "${ data.email }"}}
`,
	"schedules": `schedules:
  - name: nightly
    daily: "02:30"
    timezone: Europe/Paris
    missed: last
    emit: backup.due
    data: {day: "${ slot.time }"}
handlers:
  - {name: backup, on: backup.due, do: exec, with: {command: [/usr/local/bin/backup]}, timeout: 1h}
`,
	"handlers": `handlers:
  - name: save-user
    on: user.registered
    when: data.email contains "@"
    do: user.insert
    with: {name: "${ data.name }", email: "${ data.email }"}
    order_by: data.email
    retry: {attempts: 5, backoff: 1s, max: 1m}
    emit: user.created
  - name: announce
    on: user.created
    do: notify
    with: {message: "New user ${ data.name }"}
`,
	"tests": `handlers:
  - {name: save-user, on: user.registered, do: user.insert, with: {name: "${ data.name }", email: "${ data.email }"}}
tests:
  - name: a sign-up becomes a user
    given: [{type: user.registered, data: {name: Ada, email: ada@example.com}}]
    expect:
      runs: [{handler: save-user, state: succeeded}]
      users: [{name: Ada, email: ada@example.com}]
`,
}

// wiring is the page of the keys of a wiring file.
func wiring(Sources) (string, error) {
	var p page
	p.heading(1, "The wiring file")
	p.line("Every key that `evrun.yaml` can have, with its type, its default and what it does; the inputs of a kind (`with`) are in [kinds.md](kinds.md). For a file that explains")
	p.line("all of them in its comments, run `evrun init --example full DIRECTORY`; `evrun schema` prints a JSON Schema, with which editors complete and check.\n")
	p.line("Durations have a unit (`500ms`, `5s`, `10m`, `2h`, `30d`), and so have sizes (`512KiB`, `1MiB`). Texts in `${ … }` are [expressions](expressions.md). Relative paths are")
	p.line("relative to the file. An unknown key is an error, with the line and what was probably meant. Top-level keys that begin with `x-` are ignored, so that YAML's anchors have")
	p.line("a place. A key with `[]` has a list, and one with `.NAME` a map with names of your choice.")
	known := map[string]bool{}
	for _, key := range config.Keys() {
		known[key.Name] = true
		p.heading(2, key.Name)
		p.line("%s%s", key.Doc, about(key))
		if len(key.Fields) > 0 {
			p.line("")
			p.table([]string{"key", "type", "default", "what it does"}, keyRows(strings.TrimLeft(inside(key, ""), "[]."), key.Fields))
		}
		if example := keyExamples[key.Name]; example != "" {
			p.line("")
			p.code("yaml", example)
		}
	}
	for name := range keyExamples {
		if !known[name] {
			return "", fmt.Errorf("there is an example of %s, which is not a key", name)
		}
	}
	return p.String(), nil
}

// about is the type and the default of a key that has a heading of its own.
func about(f fields.Field) string {
	text := " (" + typeOf(f)
	if f.Default != "" {
		text += ", default " + quoted(f.Default)
	}
	return text + ")"
}

func typeOf(f fields.Field) string {
	if f.Enum != nil {
		return strings.Join(f.Enum, ", ")
	}
	return f.Type
}

// inside is what stands before the keys within a key of this name, which is empty at the top.
func inside(f fields.Field, name string) string {
	switch {
	case strings.HasPrefix(f.Type, "list"):
		name += "[]"
	case strings.HasPrefix(f.Type, "map of"):
		name += ".NAME"
	}
	return name + "."
}

// keyRows are the rows of keys, and of those within them.
func keyRows(prefix string, list []fields.Field) (rows [][]string) {
	for _, f := range list {
		fallback := quoted(f.Default)
		if f.Required {
			fallback = "required"
		}
		rows = append(rows, []string{quoted(prefix + f.Name), typeOf(f), fallback, f.Doc})
		if len(f.Fields) > 0 {
			rows = append(rows, keyRows(inside(f, prefix+f.Name), f.Fields)...)
		}
	}
	return rows
}

// kindTexts have what the fields of a kind don't say: its result, for emit, and an example, a whole wiring file, which a test loads.
var kindTexts = map[string]struct{ result, example string }{
	"emit": {"Its result is nothing: the events are the work.", `handlers:
  - name: fan-out
    on: order.placed
    do: emit
    with:
      events:
        - {type: invoice.due, subject: "${ data.id }", data: {order: "${ data.id }"}}
        - {type: parcel.due}
  - {name: invoice, on: invoice.due, do: "log an invoice for ${ data.order }"}
  - {name: parcel, on: parcel.due, do: "log a parcel for ${ data.id }"}
`},
	"exec": {"Its result is what the program printed on stdout: a map or a list if it is JSON, else a text (`result` chooses).", `handlers:
  - name: resize
    on: photo.uploaded
    do: exec convert -- ${ data.path } -resize 800x800 ${ data.path }.small.jpg
    with:
      limits: {memory: 512MiB, cpu: 60s}
    timeout: 2m
`},
	"http": {"Its result is the answer: `status`, `headers` and `body` (decoded where it is JSON).", `handlers:
  - name: tell-crm
    on: user.created
    do: http https://crm.example.com/users/${ data.id }
    with:
      method: PUT
      headers: {Authorization: 'Bearer ${ env("CRM_TOKEN") }'}
      body: {name: "${ data.name }", email: "${ data.email }"}
      expect: [2xx, 409]
`},
	"log": {"Its result is nothing.", `handlers:
  - {name: note, on: "order.>", do: "log ${ event.type } ${ event.subject ?? '' }"}
`},
	"notify": {"Its result is nothing.", `handlers:
  - name: alert
    on: evrun.run.dead
    do: notify ${ data.handler } failed ${ data.attempt } times
    with: {url: '${ env("SLACK_URL") }', title: A run is dead}
`},
	"sql": {"Its result has `rows` (each a map of its columns), `row` (the first of them) and `changes` (how many rows were written).", `handlers:
  - name: count-sign-ups
    on: user.created
    do: sql
    with:
      migrate:
        - CREATE TABLE sign_ups (day TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT
      statement: |
        INSERT INTO sign_ups (day, number) VALUES (date(:at), 1)
        ON CONFLICT (day) DO UPDATE SET number = number + 1
        RETURNING day, number
      params: {at: "${ event.time }"}
    emit: {type: sign-ups.counted, data: "${ result.row }"}
  - {name: tell, on: sign-ups.counted, do: "log ${ data.number } on ${ data.day }"}
`},
	"user.insert": {"Its result is the user, as [JSON](json.md#user).", `handlers:
  - name: save-user
    on: user.registered
    do: user.insert
    with: {attributes: {plan: "${ data.plan }"}, on_conflict: ignore}
`},
}

// kinds is the page of the kinds of handlers.
func kinds(Sources) (string, error) {
	var p page
	p.heading(1, "Kinds of handlers")
	p.line("What a handler can do: `do` names one of these kinds, and `with` has its inputs. The main input can stand behind the kind: `do: exec ./backup.sh`. `evrun explain --kind` lists them, and `evrun explain --kind NAME` prints one.\n")
	p.line("`user.insert` and `sql` on evrun's own database happen exactly once: their writes commit together with the record of the run. `exec`, `http` and `notify` act outside, where")
	p.line("an attempt may happen more than once after a crash: every attempt of a run has the same id, for the other side to recognize (see [guarantees.md](guarantees.md)).")
	known := map[string]bool{}
	for _, k := range handlers.Kinds() {
		known[k.Name] = true
		text, ok := kindTexts[k.Name]
		if !ok {
			return "", fmt.Errorf("kind %s has no example in cmd/reference", k.Name)
		}
		p.heading(2, k.Name)
		p.line("%s %s\n", k.Doc, text.result)
		p.table([]string{"input", "type", "default", "what it is"}, keyRows("", k.Inputs))
		if k.Main != "" {
			p.line("\n`%s` is its main input, which can stand behind the kind: `do: %s TEXT` is `do: %s` with `%s: TEXT`.", k.Main, k.Name, k.Name, k.Main)
		}
		if k.Prints != "" {
			p.line("\n%s is kept with each attempt, 64 KiB of each stream unless the handler's `output` says otherwise; `evrun runs logs RUN` prints it.", strings.ToUpper(k.Prints[:1])+k.Prints[1:])
		}
		p.line("")
		p.code("yaml", text.example)
	}
	for name := range kindTexts {
		if !known[name] {
			return "", fmt.Errorf("there is an example of the kind %s, which does not exist", name)
		}
	}
	return p.String(), nil
}
