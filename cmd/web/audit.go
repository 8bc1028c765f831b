package web

import (
	"fmt"
	"strings"

	"evrun/cmd/api"
	"evrun/cmd/web/trail"
	"evrun/events"
	"evrun/tasks/search"
)

var auditPage = page{pattern: "GET /audit", right: "read", nav: "audit", title: "Audit", template: "audit", load: loadAudit}

const auditShown = 50

// auditTrail is who did what, or what filters select of it.
type auditTrail struct {
	found[*events.Event]
	Kinds    []trail.Kind
	Actions  []events.OwnType
	Filtered bool
	First    bool // it begins with the newest action
}

func loadAudit(q *request) (any, error) {
	sel, wrong := q.selection()
	sel = search.Selection{Types: sel.Types, Since: sel.Since, Until: sel.Until}
	who, about := q.query.Get("who"), q.query.Get("about")
	list := auditTrail{Kinds: trail.Kinds(), Filtered: who != "" || about != "" || !sel.All(), First: q.query.Get("after") == "" && q.query.Get("order") != "oldest"}
	for _, typ := range events.OwnTypes() {
		if strings.HasPrefix(typ.Type, events.AuditPrefix) {
			list.Actions = append(list.Actions, typ)
		}
	}
	for _, typ := range sel.Types {
		if !strings.HasPrefix(typ, events.AuditPrefix) {
			wrong = fmt.Sprintf("%s is not a type of the audit trail: these begin with %s", typ, events.AuditPrefix)
		}
	}
	if list.Wrong = wrong; wrong != "" {
		return list, nil
	}
	if len(sel.Types) == 0 {
		sel.Types = []string{events.AuditPrefix + ">"}
	}
	var conditions []string
	if who != "" {
		conditions = append(conditions, contains(`string(data?.who ?? "")`, who))
	}
	if about != "" {
		conditions = append(conditions, contains(`toJSON(data ?? "")`, about))
	}
	sel.Where = strings.Join(conditions, " and ")
	var err error
	list.found, err = searched(q, auditShown, func(p api.Paging) ([]*events.Event, api.PageInfo, error) {
		return q.api.Events(q.Context(), sel, p)
	})
	return list, err
}

// contains is a condition: a text has another one, in lower or upper case.
func contains(where, text string) string {
	quoted, _ := events.MarshalJSON(strings.ToLower(text)) // a text
	return "lower(" + where + ") contains " + string(quoted)
}

// Enough reports whether the page is full.
func (l auditTrail) Enough() bool { return len(l.Items) >= auditShown }

// Entry is an action in words.
func (auditTrail) Entry(e *events.Event) trail.Entry {
	entry, _ := trail.Of(e)
	return entry
}
