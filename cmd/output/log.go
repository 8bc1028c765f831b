package output

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"

	"evrun/events"
)

// LogHandler writes a log for people who watch it on a terminal: local time, level, message, attributes. Messages and attributes may be untrusted
// text, so what a terminal would act on is escaped.
func LogHandler(w io.Writer, level slog.Level, color bool) slog.Handler {
	return tint.NewTextHandler(w, &tint.Options{
		Level: level, TimeFormat: time.StampMilli, NoColor: !color,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			switch v := a.Value; v.Kind() {
			case slog.KindString:
				a.Value = slog.StringValue(events.EscapeControl(v.String()))
			case slog.KindDuration:
				a.Value = slog.StringValue(Duration(v.Duration()))
			case slog.KindTime:
				if len(groups) > 0 || a.Key != slog.TimeKey {
					a.Value = slog.StringValue(v.Time().Local().Format(time.DateTime))
				}
			case slog.KindAny:
				if _, level := v.Any().(slog.Level); !level {
					a.Value = slog.StringValue(events.EscapeControl(fmt.Sprint(v.Any())))
				}
			}
			if len(groups) == 0 && a.Key == "error" {
				return tint.Attr(9, a) // bright red
			}
			return a
		},
	})
}
