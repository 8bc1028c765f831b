package reference

// Table is a table or a view of the store.
type Table struct {
	Name, Doc string
	Columns   []Column // none: it is for evrun itself
}

// Column is a column of a table.
type Column struct{ Name, Type, Doc string }

// tables is the page of the store's tables and views.
func tables(s Sources) (string, error) {
	var p page
	p.heading(1, "SQL tables")
	p.line("What is in the store, for the kind [sql](kinds.md#sql) and for looking around with `sqlite3 -readonly evrun.db`. With a PostgreSQL store, the tables are in its schema `evrun`. Statements may read all of evrun's tables and write")
	p.line("tables of your own, which `migrate` makes.\n")
	p.line("The views `events_view` and `runs_view` are for people: their names are those of the [JSON](json.md), and their times can be read and compared. In the tables, times are")
	p.line("microseconds since 1970. The last users, with the events that brought them:\n")
	p.code("sql", `SELECT u.name, u.email, e.type, e.time
FROM users AS u JOIN events_view AS e ON e.id = u.event_id
ORDER BY u.id DESC LIMIT 10;`)
	p.line("\nAnd the dead runs of a day, by handler:\n")
	p.code("sql", `SELECT handler, count(*) AS dead, max(error) AS one_error
FROM runs_view WHERE state = 'dead' AND started_at >= '2026-11-27'
GROUP BY handler;`)
	p.line("\nA statement of a handler has 50 ms. In the views, `seq`, `event_id`, `handler` and `type` are found by an index, and so is `source` with `id`; a condition on the")
	p.line("time, the state or the id of a run alone reads all rows: order by `seq` and take few, or give a lower bound of `seq`.\n")
	var internal [][]string
	for _, t := range s.Tables {
		if t.Columns == nil {
			internal = append(internal, []string{quoted(t.Name), t.Doc})
			continue
		}
		var rows [][]string
		for _, c := range t.Columns {
			rows = append(rows, []string{quoted(c.Name), c.Type, c.Doc})
		}
		p.heading(2, t.Name)
		p.line("%s\n", t.Doc)
		p.table([]string{"column", "type", "what it is"}, rows)
	}
	p.heading(2, "Other tables")
	p.line("These are for evrun itself. A later version may change them.\n")
	p.table([]string{"table", "what it has"}, internal)
	return p.String(), nil
}
