package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/notification"
	"evrun/tasks/outgoing"
)

// notify is the kind notify. Its result is the title and the message.
type notify struct {
	Message *expression.Template `key:"message,required,short" doc:"The text of the notification."`
	Title   *expression.Template `key:"title" doc:"A heading for the message; the subject of a mail."`
	URL     *expression.Template `key:"url" example:"https://example.com" doc:"The service to notify, as shoutrrr writes it: slack://…, telegram://…, smtp://…, generic://…. An event's value in it stays one value: one with a comma for a list, or a slash for the path, is refused. Left out, the notification goes to the daemon's log."`

	outgoing.Route

	logged
	dir     string // the wiring file's directory
	secrets *expression.Secrets
	note    func(text string) // see [Deps.Note]
	// open connects to hosts that the file or the environment names, guarded to those that an event names.
	open, guarded *outgoing.Way
}

func newNotify(deps Deps) *notify {
	return &notify{dir: deps.BaseDir, secrets: deps.Secrets, note: deps.Note, open: outgoing.NewWay(true), guarded: outgoing.NewWay(false)}
}

// Open implements [tasks.Opener].
func (n *notify) Open(s tasks.Surroundings) {
	n.logged.Open(s)
	n.open.Log, n.guarded.Log = s.Log, s.Log
}

// Close closes the connections that are kept.
func (n *notify) Close() error {
	n.open.Close()
	n.guarded.Close()
	return nil
}

// check checks the constant part of the url, and how requests reach it. It sends nothing.
func (n *notify) check() []*fault.Fault {
	faults := n.Load(n.dir, n.secrets, n.note)
	refuse := func(key bool, input, hint, format string, args ...any) {
		faults = append(faults, &fault.Fault{Path: []any{input}, Key: key, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	if n.URL == nil {
		for name, given := range map[string]bool{"proxy": n.Proxy != nil, "ca": n.CA != "", "cert": n.Cert != ""} {
			if given {
				refuse(true, name, "give it a url, or leave "+name+" out", "%s has no effect on a notification in the log", name)
			}
		}
		return faults
	}
	var err error
	if text, constant := n.URL.Constant(); constant {
		_, err = notification.Open(text)
	} else if scheme, _, ok := strings.Cut(n.URL.Prefix(), "://"); ok {
		_, _, err = notification.Lookup(scheme)
	}
	switch {
	case err != nil:
		faults = append(faults, fault.Of(err).Within("url"))
	case !n.Proxied():
	case strings.HasPrefix(strings.ToLower(n.URL.Prefix()), "smtp:"):
		refuse(true, "proxy", "leave it out", "a mail is not sent through a proxy")
	case slices.ContainsFunc(n.URL.OfEvent("x"), leads):
		refuse(true, "proxy", "write the host out, or take it from env()", "behind a proxy, evrun can't see whether the host of an event has a public address")
	}
	if len(faults) == 0 {
		n.open.Use(&n.Route)
		n.guarded.Use(&n.Route)
	}
	return faults
}

// leads reports whether a value of an event after this text of a url has a part in the host.
func leads(before string) bool {
	at := outgoing.PlaceIn(before)
	return at != outgoing.InPath && (at != outgoing.InQuery || namesHost(before))
}

// choose returns n, or the action for a notification without a url.
func (n *notify) choose() tasks.Action {
	if n.URL == nil {
		return &notifyLog{n}
	}
	return n
}

// texts evaluates the title and the message.
func (n *notify) texts(d *tasks.Delivery) (title, message string, err error) {
	if message, err = n.Message.Text(d.Env); err != nil {
		return "", "", fmt.Errorf("message: %w", err)
	}
	if n.Title != nil {
		if title, err = n.Title.Text(d.Env); err != nil {
			return "", "", fmt.Errorf("title: %w", err)
		}
	}
	return title, message, nil
}

// Do sends the notification.
func (n *notify) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	title, message, err := n.texts(d)
	if err != nil {
		return nil, err
	}
	text, way, err := n.target(d)
	if err != nil {
		return nil, outgoing.Redacted(n.secrets, tasks.Permanent(fmt.Errorf("url: %w", err)))
	}
	m := notification.Message{RunID: d.RunID, Title: title, Text: message}
	if err := notification.Send(ctx, way, text, m, n.secrets, n.logger()); err != nil {
		return nil, outgoing.Redacted(n.secrets, err)
	}
	return map[string]any{"title": n.secrets.Redact(title), "message": n.secrets.Redact(message)}, nil
}

// notifyLog is the kind notify without a url: its notification is a line in the daemon's log, as of the kind log.
type notifyLog struct{ n *notify }

func (l *notifyLog) written() tasks.Action { return l.n }

// Open implements [tasks.Opener].
func (l *notifyLog) Open(s tasks.Surroundings) { l.n.Open(s) }

// Logs implements [tasks.Logging].
func (l *notifyLog) Logs() {}

// Compute writes the line.
func (l *notifyLog) Compute(d *tasks.Delivery) (any, error) {
	n := l.n
	title, message, err := n.texts(d)
	if err != nil {
		return nil, err
	}
	title, message = n.secrets.Redact(title), n.secrets.Redact(message)
	attrs := make([]slog.Attr, 0, 4)
	if title != "" {
		attrs = append(attrs, slog.String("title", logText(title)))
	}
	n.logger().LogAttrs(context.Background(), slog.LevelInfo, "notification", append(attrs, slog.String("message", logText(message)),
		slog.String("handler", d.Handler), slog.String("event", d.Event.ID))...)
	return map[string]any{"title": title, "message": message}, nil
}
