package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"evrun/store"
	"evrun/store/sqlite"
	"evrun/store/storetest"
	"evrun/tasks"
)

// crashes copies the store's files at points of its transactions, as a crash there would leave them.
type crashes struct {
	dir, path string
	every     int64
	seen      atomic.Int64
	images    []string
}

func (c *crashes) at(t *testing.T) func(sqlite.Point) {
	return func(p sqlite.Point) {
		if n := c.seen.Add(1); n%c.every != 0 {
			return
		}
		image := filepath.Join(c.dir, fmt.Sprintf("%03d-%s.db", len(c.images), strings.ReplaceAll(string(p), " ", "-")))
		for _, part := range []string{"", "-wal"} {
			if err := copyFile(image+part, c.path+part); err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
		}
		c.images = append(c.images, image)
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// After a crash at any point and the next start, each event is in exactly one burst.
func TestACrashNeitherLosesNorDoublesAnEventOfABurst(t *testing.T) {
	for name, action := range map[string]func(g *gatherer) tasks.Action{
		"outside": func(g *gatherer) tasks.Action { return g },
		"inside": func(g *gatherer) tasks.Action {
			return insideFunc(func(d *tasks.Delivery) (tasks.Effect, error) {
				_, err := g.Do(context.Background(), d)
				if err != nil {
					return tasks.Effect{}, err
				}
				return tasks.Effect{User: &store.User{Name: "x", Email: d.RunID + "@example.com"}, Stored: func(_ store.User, err error) (any, error) {
					if d.Attempt == 1 && d.Event.Sequence%2 == 0 {
						return nil, errors.New("not at first")
					}
					return nil, err
				}}, nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			handler := func(g *gatherer) *tasks.Handler {
				h := g.handler(tasks.Debounce{Wait: 2 * time.Millisecond, MaxWait: 5 * time.Millisecond, By: by(t, "data.n % 5"), All: true})
				h.Action = action(g)
				return h
			}
			c := &crashes{dir: t.TempDir(), path: path(t), every: 7}
			g := newGatherer(t)
			d := startWith(t, c.path, sqlite.Options{At: c.at(t)}, handler(g))
			for i := range 60 {
				d.emitMany(3, func(j int) string { return fmt.Sprintf(`{"n":%d}`, i+j) })
			}
			d.settled(180)
			d.stop()
			if len(c.images) < 20 {
				t.Errorf("only %d images", len(c.images))
			}
			for i, image := range c.images {
				if !storetest.Long() && i%4 != 0 {
					continue
				}
				survives(t, image, func() (*tasks.Handler, *gatherer) {
					g := newGatherer(t)
					return handler(g), g
				})
			}
		})
	}
}

// survives starts evrun on the files that a crash left.
func survives(t *testing.T, image string, handler func() (*tasks.Handler, *gatherer)) {
	t.Helper()
	before := map[int64]store.Run{}
	if s, err := sqlite.OpenReader(image); err == nil {
		runs, err := s.Runs(t.Context(), store.RunQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			before[r.Sequence] = r
		}
		s.Close()
	}
	h, g := handler()
	h.FromStart = true // the handler may not be registered yet
	d := start(t, image, h)
	head, err := d.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runs := d.settled(int(head))
	bursts := accounted(t, runs, int(head))
	for _, s := range g.seen() {
		if !slices.Equal(s.ids, bursts[s.run]) {
			t.Errorf("%s: run %s saw %v, and %v joined it", filepath.Base(image), s.run, s.ids, bursts[s.run])
		}
	}
	for _, r := range runs {
		if was, ok := before[r.Sequence]; ok && was.Joined != r.Joined {
			t.Errorf("%s: #%d had joined #%d, and now #%d", filepath.Base(image), r.Sequence, was.Joined, r.Joined)
		}
		if r.State != store.Skipped && r.State != store.Succeeded {
			t.Errorf("%s: %+v", filepath.Base(image), r)
		}
	}
	if _, outside := h.Action.(tasks.Outside); !outside {
		if n := users(t, d); int(n) != len(bursts) {
			t.Errorf("%s: %d users of %d runs", filepath.Base(image), n, len(bursts))
		}
	}
	d.stop()
}
