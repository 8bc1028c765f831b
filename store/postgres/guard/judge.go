package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

// judge decides about a statement by what the server made of it: every relation that it reads or writes, every function that it calls, and whatever these
// bring along: views, rules, triggers, defaults, checks, policies, partitions, bodies of functions.
type judge struct {
	ctx context.Context
	c   *pgx.Conn

	read, written map[uint32]bool // relations that were looked at
	called, typed map[uint32]bool // functions, types

	// What is still to be looked at.
	reading, writing, calling, operators, numbering, types []uint32
}

func newJudge(ctx context.Context, c *pgx.Conn) *judge {
	return &judge{ctx: ctx, c: c, read: map[uint32]bool{}, written: map[uint32]bool{}, called: map[uint32]bool{}, typed: map[uint32]bool{}}
}

// bitsOfWrites are the rights (aclitem's) that a statement needs of a relation that it writes: INSERT, UPDATE (which locks rows, too), DELETE, TRUNCATE.
const bitsOfWrites = 1 | 4 | 8 | 16

// tree takes in what a tree has. In a view that is written, all its relations count as written.
func (j *judge) tree(text string, write bool) error {
	root, err := parseTree(text)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrStatement, err)
	}
	root.walk(func(n *node) {
		switch n.kind {
		case "QUERY":
			if c := n.number("commandType"); c < 1 || c > 5 {
				err = fmt.Errorf("%w: only SELECT, VALUES, INSERT, UPDATE, DELETE and MERGE are allowed", store.ErrStatement)
			}
			j.target(n)
		case "FUNCEXPR":
			j.sequence(n)
		}
		for field := range n.fields {
			if strings.Contains(field, "typ") { // resulttype, coltypes, typid, array_typeid and so on: a number too many is of no type, or of one that has no checks
				j.types = append(j.types, n.oids(field)...)
			}
		}
		j.writing = append(j.writing, n.oids("seqid")...)
		relations := n.oids("relid")
		if write || n.number("requiredPerms")&bitsOfWrites != 0 {
			j.writing = append(j.writing, relations...)
		} else {
			j.reading = append(j.reading, relations...)
		}
		for _, field := range []string{"funcid", "opfuncid", "aggfnoid", "winfnoid", "startInRangeFunc", "endInRangeFunc", "tsmhandler"} {
			j.calling = append(j.calling, n.oids(field)...)
		}
		for _, field := range []string{"opno", "opnos", "eqop", "sortop"} {
			j.operators = append(j.operators, n.oids(field)...)
		}
	})
	return err
}

// target notes the relation that a statement changes, whatever rights it needs.
func (j *judge) target(query *node) {
	tables := query.fields["rtable"].nodes
	if i := query.number("resultRelation"); i > 0 && i <= len(tables) {
		j.writing = append(j.writing, tables[i-1].oids("relid")...)
	}
}

// The numbers of nextval and of both setval, which never change.
const (
	nextval        = 1574
	setval         = 1576
	setvalIsCalled = 1765
)

// sequence notes the sequence that a call changes. Which one must be written in the statement.
func (j *judge) sequence(n *node) {
	f := n.oids("funcid")
	if len(f) != 1 || f[0] != nextval && f[0] != setval && f[0] != setvalIsCalled {
		return
	}
	if args := n.fields["args"].nodes; len(args) > 0 {
		if oid, ok := args[0].constant(); ok {
			j.numbering = append(j.numbering, oid)
			return
		}
	}
	j.numbering = append(j.numbering, 0)
}

// decide looks at everything that was taken in; an error that is an [store.ErrStatement] says why the statement may not run.
func (j *judge) decide() error {
	for len(j.reading)+len(j.writing)+len(j.calling)+len(j.operators)+len(j.numbering)+len(j.types) > 0 {
		if err := j.relations(); err != nil {
			return err
		}
		if err := j.functions(); err != nil {
			return err
		}
		if err := j.domains(); err != nil {
			return err
		}
	}
	return nil
}

func (j *judge) domains() error {
	types := fresh(j.typed, j.types)
	j.types = nil
	if len(types) == 0 {
		return nil
	}
	trees, err := domains(j.ctx, j.c, types)
	if err != nil {
		return err
	}
	for _, text := range trees {
		if err := j.tree(text, false); err != nil {
			return err
		}
	}
	return nil
}

// fresh returns those that were not looked at yet, and notes them.
func fresh(seen map[uint32]bool, oids []uint32) (out []uint32) {
	for _, oid := range oids {
		if !seen[oid] {
			seen[oid] = true
			out = append(out, oid)
		}
	}
	return out
}

func (j *judge) relations() error {
	writing, reading := fresh(j.written, j.writing), fresh(j.read, slices.Concat(j.reading, j.writing))
	j.writing, j.reading = nil, nil
	if err := j.numbers(); err != nil {
		return err
	}
	list := slices.Concat(writing, reading)
	if len(list) == 0 {
		return nil
	}
	found, err := relations(j.ctx, j.c, list)
	if err != nil {
		return err
	}
	for _, r := range found {
		write := slices.Contains(writing, r.oid)
		if why := r.judge(write); why != "" {
			return refused(why)
		}
		for _, text := range r.read {
			if err := j.tree(text, write && r.kind == "v"); err != nil {
				return err
			}
		}
		j.reading = append(j.reading, r.parts...)
		if !write {
			continue
		}
		for _, text := range r.write {
			if err := j.tree(text, false); err != nil {
				return err
			}
		}
		j.writing, j.calling = append(append(j.writing, r.parts...), r.others...), append(j.calling, r.fires...)
		j.types = append(j.types, r.rows)
	}
	return nil
}

func (j *judge) numbers() error {
	if len(j.numbering) == 0 {
		return nil
	}
	own, err := ownSequence(j.ctx, j.c, j.numbering)
	switch {
	case err != nil:
		return err
	case own:
		return refused("the sequence is evrun's own: it can be read, not changed")
	case slices.Contains(j.numbering, 0):
		return refused("write the sequence's name as a text: nextval('name')")
	}
	j.numbering = nil
	return nil
}

func (j *judge) functions() error {
	if len(j.operators) > 0 {
		more, err := operatorFunctions(j.ctx, j.c, j.operators)
		if err != nil {
			return err
		}
		j.calling, j.operators = append(j.calling, more...), nil
	}
	calling := fresh(j.called, j.calling)
	j.calling = nil
	if len(calling) == 0 {
		return nil
	}
	found, err := functions(j.ctx, j.c, `p.oid = ANY($1)`, calling)
	if err != nil {
		return err
	}
	if len(found) != len(calling) {
		return refused("a function that it calls is gone")
	}
	for _, f := range found {
		if why := f.refuse(); why != "" {
			return refused(why)
		}
		j.calling = append(j.calling, f.parts...)
		if f.body != "" && !f.apart {
			if err := j.tree(f.body, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func refused(why string) error { return fmt.Errorf("%w: %s", store.ErrStatement, why) }
