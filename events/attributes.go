package events

// The names of the attributes that an Event keeps in fields of its own. All other names are extensions.
const (
	attrExtension = iota // an extension
	attrSpecVersion
	attrID
	attrSource
	attrType
	attrSubject
	attrTime
	attrDataContentType
	attrDataSchema
	attrSeq
	attrChain
	attrCorrelationID
	attrCausationID
	attrHops
	attrTarget
	attrReplayOf
	attrErasedAt
	attrData
	attrDataBase64
	attrCount
)

func attributeNumber(name string) int {
	switch name {
	case "specversion":
		return attrSpecVersion
	case "id":
		return attrID
	case "source":
		return attrSource
	case "type":
		return attrType
	case "subject":
		return attrSubject
	case "time":
		return attrTime
	case "datacontenttype":
		return attrDataContentType
	case "dataschema":
		return attrDataSchema
	case "seq":
		return attrSeq
	case "chain":
		return attrChain
	case "correlationid":
		return attrCorrelationID
	case "causationid":
		return attrCausationID
	case "hops":
		return attrHops
	case "target":
		return attrTarget
	case "replayof":
		return attrReplayOf
	case "erasedat":
		return attrErasedAt
	case "data":
		return attrData
	case "data_base64":
		return attrDataBase64
	}
	return attrExtension
}
