package config

import (
	"evrun/tasks"
	"evrun/tasks/fields"
)

// rate is how often attempts may begin: 10/s, 100/m, 5/h, 1/d.
type rate struct{ tasks.Rate }

func (r *rate) DecodeField(value any, at *fields.At) {
	s, ok := at.Scalar(value)
	if !ok {
		return
	}
	parsed, f := tasks.ParseRate(s)
	if f != nil {
		at.Refuse(f)
		return
	}
	r.Rate = parsed
}

func (*rate) FieldShape() fields.Shape {
	return fields.Shape{Words: "rate", Schema: map[string]any{"type": "string", "pattern": `^[1-9][0-9]{0,6}/[smhd]$`}}
}
