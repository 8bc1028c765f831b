package openapi

// NewEvent is an event as it is sent: a CloudEvent in JSON.
type NewEvent struct{}

// Member is a member of an event in JSON.
type Member struct {
	Names  []string
	Type   string // for people
	Doc    string
	Schema map[string]any
	Always bool // in every event of an answer
	Own    bool // evrun adds it: not in what is sent
}

// EventMembers are the members of an event, which writes itself.
var EventMembers = []Member{
	{[]string{"specversion"}, "text", "`1.0`, the version of CloudEvents", object{"const": "1.0"}, true, false},
	{[]string{"id"}, "text", "The id; with `source`, it is unique", object{"type": "string", "minLength": 1}, true, false},
	{[]string{"source"}, "text", "Where the event comes from", object{"type": "string", "minLength": 1}, true, false},
	{[]string{"type"}, "text", "The type: `user.registered`", object{"type": "string", "minLength": 1}, true, false},
	{[]string{"subject"}, "text", "What it is about. May be missing, as the following ones", object{"type": "string"}, false, false},
	{[]string{"time"}, "time", "When it happened, as its sender says; of a schedule, the slot", object{"type": "string", "format": "date-time"}, false, false},
	{[]string{"datacontenttype"}, "text", "The media type of the data; JSON if it is missing", object{"type": "string"}, false, false},
	{[]string{"dataschema"}, "text", "A URI of a schema, as the sender gave it", object{"type": "string"}, false, false},
	{[]string{"seq"}, "text", "The event's number in the journal, in decimal digits: it is larger than some JSON libraries can read as a number", object{"type": "string", "pattern": "^[0-9]+$"}, false, true},
	{[]string{"chain"}, "text", "The `seq` of the first event of its chain", object{"type": "string", "pattern": "^[0-9]+$"}, false, true},
	{[]string{"hops"}, "number", "How many steps it is from that event", object{"type": "integer"}, false, true},
	{[]string{"target"}, "text", "The one handler that it is for, of a replayed or edited event", object{"type": "string"}, false, true},
	{[]string{"replayof"}, "text", "The `seq` of the event that it repeats", object{"type": "string", "pattern": "^[0-9]+$"}, false, true},
	{[]string{"correlationid", "causationid"}, "text", "The id of the first event of the chain, and of the one before it, unless the sender gave others", object{"type": "string"}, false, false},
	{[]string{"erasedat"}, "time", "When its data was erased", object{"type": "string", "format": "date-time"}, false, true},
	{[]string{"any other name"}, "text, number, true/false", "An extension of the sender's", nil, false, false},
	{[]string{"data", "data_base64"}, "any, text", "The data: JSON as it came, a text, or bytes in base64", nil, false, false},
}

// eventSchema is the schema of an event that is sent, or of one in an answer.
func eventSchema(sent bool) object {
	properties, required := object{}, []any{}
	for _, m := range EventMembers {
		if m.Schema == nil || sent && m.Own {
			continue
		}
		for _, name := range m.Names {
			schema := object{"description": m.Doc}
			for key, value := range m.Schema {
				schema[key] = value
			}
			properties[name] = schema
			if m.Always && (!sent || name == "type") {
				required = append(required, name)
			}
		}
	}
	properties["data"] = object{"description": "The data: JSON, or a text"}
	properties["data_base64"] = object{"description": "Data that is neither, in base64", "type": "string", "contentEncoding": "base64"}
	doc := "An event: a CloudEvent in JSON."
	if sent {
		doc = "An event to publish: a CloudEvent in JSON. evrun makes the id and the time where they are missing, and a source of its own for an event without one."
	}
	return object{
		"type": "object", "description": doc, "properties": properties, "required": required,
		"additionalProperties": object{"description": "An extension.", "type": []any{"string", "integer", "boolean"}},
	}
}
