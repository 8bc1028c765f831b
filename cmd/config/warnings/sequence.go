package warnings

import (
	"strings"

	"evrun/cmd/config/yaml"
)

// senderSequences checks each handler for the sender's sequence.
func (f *finder) senderSequences() {
	for _, h := range f.Handlers {
		f.senderSequence(f.Place(h), false)
	}
}

// senderSequence warns of event.sequence in the expressions of a handler: evrun's own number of the event was once called so,
// and is event.seq now. The sender's number is event["sequence"].
func (f *finder) senderSequence(n *yaml.Node, expression bool) {
	switch n.Kind {
	case yaml.Scalar:
		f.senderSequenceIn(n, expression)
	case yaml.Mapping:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			f.senderSequence(n.Content[i+1], key == "when" || key == "order_by" || key == "by")
		}
	default:
		for _, c := range n.Content {
			f.senderSequence(c, expression)
		}
	}
}

func (f *finder) senderSequenceIn(n *yaml.Node, expression bool) {
	const name = "event.sequence"
	at := strings.Index(n.Value, name)
	if at < 0 || !expression && !strings.Contains(n.Value[:at], "${") {
		return
	}
	if rest := n.Value[at+len(name):]; rest != "" && strings.ContainsAny(rest[:1], "abcdefghijklmnopqrstuvwxyz0123456789_") {
		return
	}
	f.at(n, name+" is the sender's own order, which few events have", `the event's number in the journal is event.seq; write event["sequence"] if the sender's is meant`)
}
