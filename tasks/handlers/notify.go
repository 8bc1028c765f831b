package handlers

import (
	"context"
	"fmt"
	"log/slog"

	"evrun/tasks"
	"evrun/tasks/expression"
)

// notify is the kind notify. Its result is the title and the message.
type notify struct {
	Message *expression.Template `input:"message,required" doc:"What to tell."`
	Title   *expression.Template `input:"title" doc:"A heading for the message."`
	URL     *expression.Template `input:"url" doc:"The service to notify. It is not there yet: leave it out and the notification goes to the daemon's log."`

	log     *slog.Logger
	secrets *expression.Secrets
}

// check refuses url until there is something behind it.
func (n *notify) check() []*InputError {
	if n.URL == nil {
		return nil
	}
	return []*InputError{{Path: []any{"url"}, Key: true, Msg: "not there yet", Hint: "leave it out and the notification goes to the daemon's log"}}
}

// Do writes the notification to the daemon's log.
func (n *notify) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	message, err := n.Message.Text(d.Env)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	message = n.secrets.Redact(message)
	var title string
	if n.Title != nil {
		if title, err = n.Title.Text(d.Env); err != nil {
			return nil, fmt.Errorf("title: %w", err)
		}
		title = n.secrets.Redact(title)
	}
	n.log.LogAttrs(ctx, slog.LevelInfo, "notification", slog.String("title", title), slog.String("message", message),
		slog.String("handler", d.Handler), slog.String("event", d.Event.ID))
	return map[string]any{"title": title, "message": message}, nil
}
