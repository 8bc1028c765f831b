package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"evrun/tasks"
	"evrun/tasks/expression"
)

// logMessage is the kind log. Its result is the message. The slog handler escapes control characters. The log is the daemon's own, so an attempt needs
// no record before it writes its line.
type logMessage struct {
	Message *expression.Template `key:"message,required,short" doc:"What to write. A line has 64 KiB of it at most."`
	Level   string               `key:"level" enum:"debug,info,warn,error" default:"info" doc:"How urgent it is; the daemon's own log level decides what is shown."`

	logged
	secrets *expression.Secrets
}

// Logs implements [tasks.Logging].
func (l *logMessage) Logs() {}

// Compute writes the line.
func (l *logMessage) Compute(d *tasks.Delivery) (any, error) {
	message, err := l.Message.Text(d.Env)
	if err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	message = l.secrets.Redact(message)
	l.logger().LogAttrs(context.Background(), logLevels[l.Level], logText(message),
		slog.String("handler", d.Handler), slog.String("event", d.Event.ID), slog.Int64("seq", d.Event.Sequence))
	return map[string]any{"message": message}, nil
}

// maxLogText limits the text of a line in the log: an expression can make a long text from a small event.
const maxLogText = 64 << 10

// logText cuts a long text and adds how much was left out.
func logText(s string) string {
	if len(s) <= maxLogText {
		return s
	}
	head := s[:maxLogText]
	for len(head) > maxLogText-utf8.UTFMax && !utf8.RuneStart(s[len(head)]) {
		head = head[:len(head)-1]
	}
	return fmt.Sprintf("%s… (%d bytes left out)", head, len(s)-len(head))
}

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}
