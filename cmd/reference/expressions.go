package reference

import "evrun/tasks/expression"

// expressions is the page of the expression language: what expressions see, operators, and all functions.
func expressions(Sources) (string, error) {
	var p page
	p.heading(1, "Expressions")
	p.line("The language of `when`, `order_by`, `by` and of all texts in `${ … }`: which values an expression sees, the operators, and every function with an example. It is")
	p.line("[expr-lang](https://expr-lang.org/docs/language-definition); what is not listed here is not available.\n")
	p.line("A text that is one `${ … }` keeps the type of its value: `${ data.age }` is a number. In a longer text, values become texts. `$${` is a literal `${`.")
	p.heading(2, "What an expression sees")
	p.table([]string{"value", "where", "what it is"}, [][]string{
		{"`event`", "handlers", "The attributes: `event.type`, `event.id`, `event.source`, `event.subject`, `event.time`, `event.seq`, and extensions by their names"},
		{"`data`", "handlers", "The event's data. `data.user.name`, `data[\"a-b\"]`, `data.items[0]`; `data?.user?.name` is nil where something is missing"},
		{"`events`", "`with` of a handler with `debounce: {collect: all}`", "All events of the burst, each with its attributes and `data`"},
		{"`run.id`, `run.attempt`, `run.handler`", "`with`, `emit`, `on_dead`", "The run: its id is the same at every attempt, and `run.attempt` counts from 1"},
		{"`item`, `index`", "`for_each`", "The element of the list, and its place, from 0"},
		{"`result`", "`emit` of a handler", "What the kind returned: see [kinds.md](kinds.md)"},
		{"`error`, `attempts`, `handler`, `run_id`", "`on_dead`", "Why the run is dead, and after how many attempts"},
		{"`slot`, `previous`", "schedules", "`slot.time`, `slot.unix` and `slot.number`; `previous` is the slot that was published before, nil at first"},
		{"`body`", "hooks", "The request's body: of JSON or a form its value, `body.repository.name`; else a text, and nil if it is empty"},
		{"`raw`, `method`, `name`", "hooks", "The body as it came, the method of HTTP, and the hook's name; the functions `header` and `query` give the rest of the request"},
		{"`run.state`, `run.error`, `run.attempt`", "`--where` on runs", "The run; `event` and `data` are those of its event"},
	})
	p.heading(2, "Operators")
	p.table([]string{"operators", "what they do"}, [][]string{
		{"`==` `!=` `<` `<=` `>` `>=`", "Compare. Numbers with numbers, texts with texts, times with times"},
		{"`and` `or` `not` (`&&` `||` `!`)", "Combine conditions; `or` and `and` need true or false on both sides"},
		{"`a ? b : c`, `a ?? b`", "b if a is true, else c; a, or b where a is nil"},
		{"`in`, `contains`, `startsWith`, `endsWith`, `matches`", "`\"a\" in [\"a\", \"b\"]`; `data.email contains \"@\"`; `matches` takes a regular expression"},
		{"`+` `-` `*` `/` `%` `**`", "Calculate; `+` also joins texts, and adds a duration to a time"},
		{"`..`", "A list of whole numbers: `1..3`"},
		{"`|`", "The value on its left is the first argument: `data.name | trim() | upper()`"},
		{"`#`, `.field`", "In conditions on lists, the element: `filter(data.items, .price > 10)`"},
	})
	p.heading(2, "Functions")
	p.line("An evaluation may take 20 million steps, about one for each value that it reads, and 64 MiB.")
	group := ""
	var rows [][]string
	flush := func() {
		if rows != nil {
			p.heading(3, group)
			p.table([]string{"function", "what it returns", "example", "result"}, rows)
		}
		rows = nil
	}
	for _, f := range expression.Functions() {
		if f.Group != group {
			flush()
			group = f.Group
		}
		signatures := ""
		for i, s := range f.Signatures {
			if i > 0 {
				signatures += ", "
			}
			signatures += quoted(s)
		}
		rows = append(rows, []string{signatures, f.Doc, quoted(f.Example), quoted(f.Result)})
	}
	flush()
	return p.String(), nil
}
