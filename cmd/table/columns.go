package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"evrun/events"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/payload"
)

// columns is how a row becomes JSON.
type columns struct {
	names      []string
	attributes []*member
	data       *member
	begin, end string
}

// member is a member of an object, or the whole one: it has members of its own, or cells.
type member struct {
	name    string
	key     []byte // "name":
	members []*member
	cells   []int // columns
	list    bool
	kind    expression.Kind
	stated  bool // the header says that the cells are JSON
}

// newColumns reads the names of a header.
func newColumns(names []string, o Options) (*columns, error) {
	c := &columns{names: slices.Clone(names), data: &member{}, begin: o.Begin, end: o.End}
	if len(names) == 1 && o.Comma == 0 {
		for _, sep := range []string{";", "\t", "|"} {
			if strings.Contains(names[0], sep) {
				return nil, &HeaderError{fmt.Sprintf("it has one column, %s: is the separator %q? Then give it with --comma; --comma , takes it as it is", fault.Quote(names[0]), sep)}
			}
		}
	}
	for i, name := range names {
		if name == "" {
			continue // its cells must be empty
		}
		if err := c.add(i, name, o); err != nil {
			return nil, &HeaderError{fmt.Sprintf("column %d, %s: %v", i+1, fault.Quote(name), err)}
		}
	}
	if len(c.data.members) == 0 && len(c.attributes) == 0 {
		return nil, &HeaderError{"no column has a name"}
	}
	return c, nil
}

// add adds a column.
func (c *columns) add(i int, name string, o Options) error {
	path, stated := strings.CutSuffix(name, ":=")
	if attribute, ok := strings.CutPrefix(path, "@"); ok {
		return c.addAttribute(i, attribute, stated, o.Attributes)
	}
	if strings.HasPrefix(path, `\@`) {
		path = path[1:]
	}
	path, element := strings.CutSuffix(path, "[]")
	parts := payload.SplitPath(path)
	if slices.Contains(parts, "") {
		return errors.New(`a name is empty; write \. for a dot in a name`)
	}
	at, err := c.place(parts, element, stated)
	if err != nil {
		return err
	}
	at.cells, at.list, at.stated = append(at.cells, i), element, stated
	if o.Kind != nil {
		if element {
			parts = append(parts, "")
		}
		if at.kind, err = o.Kind(parts); err != nil {
			return err
		}
	}
	if stated {
		at.kind = expression.KindMap // any JSON
	}
	return nil
}

// addAttribute adds a column of an attribute, which must be one of known.
func (c *columns) addAttribute(i int, name string, stated bool, known []string) error {
	switch {
	case len(known) == 0:
		return errors.New(`the file has no attributes; write \@ for an @ at the beginning of a name`)
	case !slices.Contains(known, name):
		return fmt.Errorf(`attributes are @%s; write \@ for an @ at the beginning of a name`, strings.Join(known, ", @"))
	case slices.ContainsFunc(c.attributes, func(m *member) bool { return m.name == name }):
		return errors.New("there are two such columns")
	case stated:
		return errors.New("an attribute is text, and can't be :=")
	}
	c.attributes = append(c.attributes, newMember(name, i))
	return nil
}

// place returns the member at a path, and makes it if there is none.
func (c *columns) place(parts []string, element, stated bool) (*member, error) {
	at := c.data
	for n, part := range parts {
		last := n == len(parts)-1
		k := slices.IndexFunc(at.members, func(m *member) bool { return m.name == part })
		switch {
		case k < 0:
			at.members = append(at.members, newMember(part))
			k = len(at.members) - 1
		case last && len(at.members[k].members) > 0:
			return nil, errors.New("another column is a member of it")
		case !last && len(at.members[k].cells) > 0:
			return nil, fmt.Errorf("column %d has a value for %s, which can't have members", at.members[k].cells[0]+1, strings.Join(parts[:n+1], "."))
		case last && (!element || !at.members[k].list):
			return nil, fmt.Errorf("column %d has the same name; name[] makes a list of several columns", at.members[k].cells[0]+1)
		case last && at.members[k].stated != stated:
			return nil, errors.New("the columns of a list are all := or none")
		}
		at = at.members[k]
	}
	return at, nil
}

func newMember(name string, cells ...int) *member {
	return &member{name: name, key: append(events.AppendJSONText(nil, name), ':'), cells: cells}
}

// append writes a row. The error says what is wrong with it.
func (c *columns) append(dst []byte, cells []string) ([]byte, error) {
	if len(cells) != len(c.names) {
		return dst, fmt.Errorf("the row has %s, and the header has %d columns", fault.Plural(len(cells), "cell"), len(c.names))
	}
	for i, name := range c.names {
		if name == "" && cells[i] != "" {
			return dst, fmt.Errorf("column %d has %s, and no name in the header", i+1, fault.Quote(cells[i]))
		}
	}
	dst = append(dst, c.begin...)
	for _, m := range c.attributes {
		if cell := cells[m.cells[0]]; cell != "" {
			dst = events.AppendJSONText(append(dst, m.key...), cell)
			dst = append(dst, ',')
		}
	}
	if c.begin != "" {
		dst = append(dst, `"data":`...)
	}
	start := len(dst)
	dst, err := c.object(dst, c.data, cells)
	if len(dst) == start {
		dst = append(dst, "{}"...)
	}
	return append(dst, c.end...), err
}

// object writes an object, or nothing if it has no members.
func (c *columns) object(dst []byte, m *member, cells []string) ([]byte, error) {
	start := len(dst)
	for _, sub := range m.members {
		before := len(dst)
		dst = append(append(dst, "{,"[min(1, before-start)]), sub.key...)
		named := len(dst)
		var err error
		switch {
		case len(sub.members) > 0:
			dst, err = c.object(dst, sub, cells)
		case sub.list:
			dst, err = c.list(dst, sub, cells)
		case cells[sub.cells[0]] != "":
			dst, err = c.value(dst, sub, sub.cells[0], cells)
		}
		if err != nil {
			return dst, err
		}
		if len(dst) == named { // nothing
			dst = dst[:before]
		}
	}
	if len(dst) > start {
		dst = append(dst, '}')
	}
	return dst, nil
}

func (c *columns) list(dst []byte, m *member, cells []string) (_ []byte, err error) {
	start := len(dst)
	for _, i := range m.cells {
		if cells[i] == "" {
			continue
		}
		dst = append(dst, "[,"[min(1, len(dst)-start)])
		if dst, err = c.value(dst, m, i, cells); err != nil {
			return dst, err
		}
	}
	if len(dst) > start {
		dst = append(dst, ']')
	}
	return dst, nil
}

// value writes a cell.
func (c *columns) value(dst []byte, m *member, i int, cells []string) ([]byte, error) {
	cell := cells[i]
	wrong := func(what string) ([]byte, error) {
		from := "the schema says so"
		if m.stated {
			from = "the header has :="
		}
		return dst, fmt.Errorf("column %s: %s is not %s (%s)", c.names[i], fault.Quote(cell), what, from)
	}
	switch m.kind {
	case expression.KindNumber:
		text := strings.TrimSpace(cell)
		if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') || !json.Valid([]byte(text)) {
			return wrong("a number such as 1200.5")
		}
		return append(dst, text...), nil
	case expression.KindBool:
		switch text := strings.ToLower(strings.TrimSpace(cell)); text {
		case "true", "false":
			return append(dst, text...), nil
		}
		return wrong("true or false")
	case expression.KindList, expression.KindMap:
		if err := events.CheckJSON([]byte(cell)); err != nil {
			return wrong(strings.TrimPrefix(err.Error(), "is not "))
		}
		return appendLine(dst, cell), nil
	}
	return events.AppendJSONText(dst, cell), nil
}

// appendLine appends JSON without line ends, which it may have between its values only.
func appendLine(dst []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c == '\n' || c == '\r' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}
