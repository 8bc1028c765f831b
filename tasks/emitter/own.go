package emitter

import (
	"evrun/events"
	"evrun/tasks/expression"
)

// OwnData returns the type of the data of one of evrun's own events; nil for another type of event.
func OwnData(typ string) *expression.Type {
	for _, own := range events.OwnTypes() {
		if own.Type != typ {
			continue
		}
		data := &expression.Type{Kind: expression.KindMap, Fields: map[string]*expression.Type{}, Closed: true}
		for _, m := range own.Data {
			member := &expression.Type{} // of a list or a map: any
			switch m.Type {
			case "text", "time":
				member.Kind = expression.KindString
			case "number":
				member.Kind = expression.KindNumber
			case "true/false":
				member.Kind = expression.KindBool
			}
			data.Fields[m.Name] = member
		}
		return data
	}
	return nil
}
