package handlers

import (
	"context"
	"fmt"
	"log/slog"

	"evrun/tasks"
	"evrun/tasks/expression"
)

// logMessage is the kind log. Its result is the message. It leaves the escaping of control characters to the slog handler.
type logMessage struct {
	Message *expression.Template `input:"message,required" doc:"What to write."`
	Level   string               `input:"level" enum:"debug,info,warn,error" default:"info" doc:"How urgent it is; the daemon's own log level decides what is shown."`

	log     *slog.Logger
	secrets *expression.Secrets
}

// Do writes the line.
func (l *logMessage) Do(ctx context.Context, d *tasks.Delivery) (any, error) {
	message, err := l.Message.Text(d.Env)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	message = l.secrets.Redact(message)
	l.log.LogAttrs(ctx, logLevels[l.Level], message,
		slog.String("handler", d.Handler), slog.String("event", d.Event.ID), slog.Int64("seq", d.Event.Sequence))
	return map[string]any{"message": message}, nil
}

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}
