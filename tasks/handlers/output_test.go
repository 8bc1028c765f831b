package handlers

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/events"
	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/emission"
	"evrun/tasks/expression"
	"evrun/tasks/taskstest"
)

// settled gives n events to a handler, by the real runner on a store at path, and returns the attempts of their runs.
func settled(t *testing.T, path string, h *tasks.Handler, n int) [][]store.Attempt {
	t.Helper()
	h.Name, h.On = "h", []events.Pattern{events.MustPattern("a.b")}
	if h.Retry.Attempts == 0 {
		h.Retry = tasks.Retry{Attempts: 1}
	}
	d := taskstest.Start(t, taskstest.Options{Path: path, Tasks: tasks.Options{Handlers: []*tasks.Handler{h}}})
	var list [][]store.Attempt
	changes := d.Commits.Subscribe(1000)
	defer changes.Unsubscribe()
	for range n {
		e := &events.Event{Type: "a.b", ID: events.NewID(), Source: "/test", Data: []byte(`{"name":"Ada"}`)}
		if _, err := d.Emitter.Emit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		for ended := false; !ended; {
			for _, r := range (<-changes.C()).Runs {
				ended = ended || r.State.Ended()
			}
		}
		attempts, err := d.Store.Attempts(t.Context(), store.AttemptQuery{Run: store.RunID(e.Sequence, "h", d.Store.ID())})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, attempts)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	return list
}

// outputs is settled for one event and a new store: the texts of the outputs of its attempts.
func outputs(t *testing.T, h *tasks.Handler) (list []string) {
	t.Helper()
	for _, a := range settled(t, filepath.Join(t.TempDir(), "evrun.db"), h, 1)[0] {
		text := fmt.Sprint(a.State)
		if o := a.Output; o != nil {
			text += fmt.Sprintf("\n%s\n%s", o.Status, o.Headers)
			for _, s := range o.Streams {
				text += fmt.Sprintf("%s: %s", s.Name, s.Head)
				if s.Omitted > 0 {
					text += fmt.Sprintf("…%d…%s", s.Omitted, s.Tail)
				}
			}
		}
		list = append(list, text)
	}
	return list
}

func TestACommandsOutputIsKept(t *testing.T) {
	secrets := &expression.Secrets{}
	secrets.Add("s3cr3t-value")
	shell := func(script string) tasks.Action {
		return build[tasks.Action](t, "exec", with("shell", script), Deps{BaseDir: t.TempDir(), Secrets: secrets})
	}
	for name, c := range map[string]struct {
		h    tasks.Handler
		want []string
	}{
		"a quiet success keeps nothing": {tasks.Handler{Action: shell("true")}, nil},
		"a success": {tasks.Handler{Action: shell("echo out; echo err >&2")},
			[]string{"succeeded\nexit status 0\nstdout: out\nstderr: err\n"}},
		"a success whose result is emitted": {tasks.Handler{Action: shell("echo out"), Emit: []emission.Entry{{Type: must(expression.CompileTemplate("x.y", expression.HandlerEmit))}}},
			[]string{"succeeded\nexit status 0\nstdout: out\n"}},
		"every failure": {tasks.Handler{Action: shell("echo $EVRUN_ATTEMPT; exit $EVRUN_ATTEMPT"), Retry: tasks.Retry{Attempts: 2, Backoff: 1, Max: 1}},
			[]string{"retrying\nexit status 1\nstdout: 1\n", "dead\nexit status 2\nstdout: 2\n"}},
		"a timeout": {tasks.Handler{Action: shell("echo begun; exec sleep 1000"), Timeout: 500 * time.Millisecond},
			[]string{"dead\nsignal: terminated\nstdout: begun\n"}},
		"a child that holds the pipe": {tasks.Handler{Action: shell("sleep 1000 & echo over")},
			[]string{"succeeded\nexit status 0\nstdout: over\n"}},
		"a secret in two writes": {tasks.Handler{Action: shell("printf s3cr; sleep 0.05; printf 'et-value no\n'; printf s3cr; sleep 0.05; printf '3t-val'; sleep 0.05; echo ue")},
			[]string{"succeeded\nexit status 0\nstdout: s3cret-value no\n[secret]\n"}},
		"bytes that are not text": {tasks.Handler{Action: shell(`printf '\377\000a\303'`)},
			[]string{"succeeded\nexit status 0\nstdout: \uFFFD\x00a\uFFFD"}},
		"little of much": {tasks.Handler{Action: shell("seq 1 1000"), KeepOutput: 1024},
			[]string{"succeeded\nexit status 0\nstdout: " + lines(1, 151) + "…2904…" + lines(878, 1000)}},
		"none": {tasks.Handler{Action: shell("echo out; exit 3"), KeepOutput: capture.None}, []string{"dead"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.h
			if got := outputs(t, &h); strings.Join(got, "\n\n") != strings.Join(c.want, "\n\n") {
				t.Errorf("got:\n%q\nwant:\n%q", got, c.want)
			}
		})
	}
}

func lines(from, to int) (text string) {
	for i := from; i <= to; i++ {
		text += fmt.Sprintln(i)
	}
	return text
}

// Runs that print 10 MB to each of their streams grow the store by 128 KiB each, events and all.
func TestAFloodOfOutputGrowsTheStoreByLittle(t *testing.T) {
	const runs = 20
	for name, line := range map[string]string{"lines": "a line of the log of a backup, as programs write them", "one line": ""} {
		path := filepath.Join(t.TempDir(), "evrun.db")
		size := func(script string) int64 {
			action := build[tasks.Action](t, "exec", with("shell", script), Deps{BaseDir: t.TempDir()})
			for _, attempts := range settled(t, path, &tasks.Handler{Action: action}, runs) {
				for _, a := range attempts {
					if len(a.Output.Streams) != 2 || a.Output.Size() > 2*capture.Default || a.Output.Size() < 2*capture.Default*8/10 {
						t.Errorf("%s: %d bytes are kept", name, a.Output.Size())
					}
				}
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			return info.Size()
		}
		flood := "yes '" + line + "' | head -c 10000000"
		if line == "" {
			flood = "head -c 10000000 /dev/zero | tr '\\0' x"
		}
		before := size("true")
		if grown := size(flood+"; "+flood+" >&2") - before; grown > runs*128<<10 {
			t.Errorf("%s: %d runs have grown the store by %d KiB, %d KiB each", name, runs, grown>>10, grown>>10/runs)
		}
	}
}

func TestAnAnswerIsKept(t *testing.T) {
	secrets := &expression.Secrets{}
	secrets.Add("s3cr3t-value")
	answer := func(status int, header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			w.Header().Set("Set-Cookie", "session=1")
			w.Header().Set("X-Header", header)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	big := strings.Repeat("line\n", 20000)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		h      tasks.Handler
		want   string
	}{
		"a success": {answer(200, "a", `{"id":7}`), tasks.Handler{},
			"succeeded\n200 OK\nContent-Length: 8\nContent-Type: text/plain; charset=utf-8\nX-Header: a\nbody: {\"id\":7}"},
		"a success whose result is emitted": {answer(202, "a", "taken"), tasks.Handler{Emit: []emission.Entry{{Type: must(expression.CompileTemplate("x.y", expression.HandlerEmit))}}},
			"succeeded\n202 Accepted\nContent-Length: 5\nContent-Type: text/plain; charset=utf-8\nX-Header: a\nbody: taken"},
		"a refusal, with secrets": {answer(422, "the s3cr3t-value", "no s3cr3t-value"), tasks.Handler{},
			"dead\n422 Unprocessable Entity\nContent-Length: 15\nContent-Type: text/plain; charset=utf-8\nX-Header: the [secret]\nbody: no [secret]"},
		"an empty answer": {answer(204, "a", ""), tasks.Handler{}, "succeeded\n204 No Content\nX-Header: a\n"},
		"much": {answer(200, "a", big), tasks.Handler{KeepOutput: 1024},
			"succeeded\n200 OK\nContent-Type: text/plain; charset=utf-8\nX-Header: a\nbody: " + big[:495] + fmt.Sprintf("…%d…", len(big)-990) + big[:495]},
		"long headers": {answer(200, strings.Repeat("x", 9000), "b"), tasks.Handler{},
			"succeeded\n200 OK\nContent-Length: 1\nContent-Type: text/plain; charset=utf-8\n…: 1 more headers, which are long\nbody: b"},
		"none": {answer(200, "a", "b"), tasks.Handler{KeepOutput: capture.None}, ""},
		"what came before the timeout": {func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = nil
			_, _ = w.Write([]byte("half"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, tasks.Handler{Timeout: 500 * time.Millisecond}, "dead\n200 OK\nContent-Type: text/plain; charset=utf-8\nbody: half"},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := recorder(t, c.answer)
			h := c.h
			h.Action = request(t, with("url", server.URL), Deps{Secrets: secrets})
			if got := strings.Join(outputs(t, &h), "\n\n"); got != c.want {
				t.Errorf("got:\n%q\nwant:\n%q", got, c.want)
			}
		})
	}
}
