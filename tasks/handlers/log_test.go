package handlers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/expression"
)

// captured is a logger that keeps its lines, without the time.
func captured(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func TestLogWritesALine(t *testing.T) {
	for level, want := range map[any]string{nil: "INFO", "debug": "DEBUG", "info": "INFO", "warn": "WARN", "error": "ERROR"} {
		var out bytes.Buffer
		with := map[string]any{"message": "hello ${ data.name }"}
		if level != nil {
			with["level"] = level
		}
		l := buildLogging[tasks.Computed](t, "log", with, Deps{}, captured(&out))
		result, err := l.Compute(delivery(`{"name":"A\nda"}`))
		if err != nil || !reflect.DeepEqual(result, map[string]any{"message": "hello A\nda"}) {
			t.Fatal(result, err)
		}
		if got, want := out.String(), fmt.Sprintf("level=%s msg=\"hello A\\nda\" handler=h event=e1 seq=7\n", want); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A log line is short even if an expression makes a long text.
func TestALineOfTheLogIsCut(t *testing.T) {
	for kind, want := range map[string]string{"log": "msg", "notify": "message"} {
		var out bytes.Buffer
		a := buildLogging[tasks.Computed](t, kind, map[string]any{"message": "${ replace(data.text, 'a', repeat('é', 10000)) }"}, Deps{}, captured(&out))
		if _, err := a.Compute(delivery(`{"text":"b` + strings.Repeat("a", 100) + `"}`)); err != nil {
			t.Fatal(err)
		}
		if line := out.String(); len(line) > maxLogText+200 || !strings.Contains(line, want+`="béé`) || !strings.Contains(line, `é… (1934466 bytes left out)"`) {
			t.Errorf("%s: %d bytes: %.20s … %s", kind, len(line), line, line[max(0, len(line)-120):])
		}
	}
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-token")
	var out bytes.Buffer
	deps := Deps{Secrets: &expression.Secrets{}}
	for _, kind := range []string{"log", "notify"} {
		action := buildLogging[tasks.Computed](t, kind, map[string]any{"message": `token ${ env("EVRUN_TEST_TOKEN") }`}, deps, captured(&out))
		result, err := action.Compute(delivery(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String()+fmt.Sprint(result), "s3cret") {
			t.Errorf("%s: %s %v", kind, out.String(), result)
		}
	}
}

// panicking is a log's handler that fails like a broken one.
type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("the log is broken") }

// A line of the daemon's own log needs no record before it is written: the run's row is written once, settled. A panic is an error of the attempt.
func TestALineIsSettledInOneWrite(t *testing.T) {
	for _, kind := range []string{"log", "notify"} {
		var out bytes.Buffer
		action := buildLogging[tasks.Logging](t, kind, map[string]any{"message": "hello ${ data.name }"}, Deps{}, captured(&out))
		states := []store.RunState{}
		r := runUntil(t, withLog{action, captured(&out)}, func(s store.RunState) bool { states = append(states, s); return s.Ended() })
		if r.State != store.Succeeded || len(states) != 1 || strings.Count(out.String(), "hello Ada") != 1 {
			t.Errorf("%s: %+v after %v: %s", kind, r, states, out.String())
		}
		r = run(t, withLog{action, slog.New(panicking{})})
		if r.State != store.Dead || r.Attempt != 4 || !strings.HasPrefix(r.Error, "panic: the log is broken") {
			t.Errorf("%s: %+v", kind, r)
		}
	}
}

// withLog is an action with a log of its own, whatever log the runner has.
type withLog struct {
	tasks.Logging
	log *slog.Logger
}

func (w withLog) Open(tasks.Surroundings) {
	w.Logging.(tasks.Opener).Open(tasks.Surroundings{Log: w.log})
}
