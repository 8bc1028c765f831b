package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"evrun/events"
	"evrun/store"
)

// empty makes the file that a backup goes to.
func empty(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func backupsBesideWrites(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	if !d.InFile {
		if _, err := s.Backup(ctx, empty(t), nil); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a backup of what is in no file: %v", err)
		}
		return
	}
	for i := range 200 {
		appendAll(t, s, event("a.b", fmt.Sprint("before", i)))
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					if _, err := s.Append(ctx, []*events.Event{event("a.b", fmt.Sprint(w, "-", i))}); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	path := empty(t)
	reported := int64(0)
	sequence := must(s.Backup(ctx, path, func(done, all int64) {
		if done > all {
			t.Errorf("%d bytes of %d", done, all)
		}
		reported = done
	}))(t)
	after := must(s.Head(ctx))(t)
	close(stop)
	writing.Wait()
	if sequence < 200 || sequence > after {
		t.Errorf("it ends with #%d of #%d", sequence, after)
	}
	info := must(os.Stat(path))(t)
	if info.Size() == 0 || reported != info.Size() {
		t.Errorf("%d bytes of %d were reported", reported, info.Size())
	}
	if _, err := s.Backup(ctx, filepath.Join(filepath.Dir(path), "none", "copy.db"), nil); err == nil {
		t.Error("a backup to a directory that does not exist")
	}
	appendAll(t, s, event("a.b", "after"))
}

func backupsEnd(t *testing.T, d Driver) {
	if !d.InFile {
		return // see backupsBesideWrites
	}
	s := d.Open(t, store.Options{})
	appendAll(t, s, event("a.b", "one"))
	ended, end := context.WithCancel(ctx)
	end()
	if _, err := s.Backup(ended, empty(t), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	equal(t, "the next one", must(s.Backup(ctx, empty(t), nil))(t), 1)
	appendAll(t, s, event("a.b", "two"))
	equal(t, "one more", must(s.Backup(ctx, empty(t), nil))(t), 2)
}
