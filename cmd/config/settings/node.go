package settings

import (
	"regexp"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

type nodeKeys struct {
	Name   Label   `key:"name" doc:"What it is called in the status: web-1. Default the name of its machine."`
	Labels []Label `key:"labels" other:"label,tags" doc:"What the nodes of a handler may name, beside its name: [gpu, eu-west]."`
}

// Label is the name of a node, or one of its labels.
type Label string

var validLabel = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// DecodeField reads a label.
func (l *Label) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	switch {
	case !ok:
	case !validLabel.MatchString(text):
		at.Refuse(fault.New("%s is not a valid name of a node or a label", fault.Quote(text)).Hinting("it has letters, digits, and . _ -, at most 63 in all: gpu"))
	default:
		*l = Label(text)
	}
}

// FieldShape describes a label.
func (*Label) FieldShape() fields.Shape {
	s := fields.ScalarSchema()
	s["pattern"] = validLabel.String()
	return fields.Shape{Words: "text", Schema: s}
}

// member is the merged setting of the node.
func (r *Reader) member(k *nodeKeys) Node {
	n := Node{Name: string(k.Name)}
	for _, l := range k.Labels {
		n.Labels = append(n.Labels, string(l))
	}
	return n
}

// checkStore reports keys of the file that have no effect with the store that it has. They are no faults: a flag or a variable may name another.
func (r *Reader) checkStore(s Store) {
	idle, why := []string{"node.name", "node.labels"}, "a SQLite file has one daemon"
	if s.Shared() {
		idle, why = []string{"store.wal_max", "store.synchronous"}, "it is for SQLite files; for PostgreSQL, set synchronous_commit of the user"
	}
	for _, key := range idle {
		if n := r.node(&setting{key: key}); n != nil {
			r.o.Report.Doubt(n, key+" has no effect with this store", "leave it out: "+why)
		}
	}
}
