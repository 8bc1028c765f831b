package drivers

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"evrun/cmd/config/settings"
	"evrun/events"
	"evrun/store"
	"evrun/store/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// Either store is missing at first, is made by who writes, and is then there for who reads.
func TestEitherStore(t *testing.T) {
	for name, place := range map[string]func(t *testing.T) settings.Store{
		"a file":     func(t *testing.T) settings.Store { return settings.Store{Path: filepath.Join(t.TempDir(), "a.db")} },
		"a database": func(t *testing.T) settings.Store { return settings.Store{Address: postgrestest.Database(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			at := place(t)
			if exists, err := Exists(t.Context(), at); err != nil || exists {
				t.Errorf("it exists: %v, %v", exists, err)
			}
			if _, err := OpenReader(t.Context(), at); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("opened to be read: %v", err)
			}
			var id string
			err := With(t.Context(), at, Options{}, func(s store.Store) error {
				id = s.ID()
				_, err := s.Append(context.Background(), []*events.Event{{ID: "1", Source: "/test", Type: "a.b"}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			err = Read(t.Context(), at, func(s store.Store) error {
				head, err := s.Head(t.Context())
				if head != 1 || s.ID() != id {
					t.Errorf("store %s has %d events", s.ID(), head)
				}
				return err
			})
			if exists, there := Exists(t.Context(), at); err != nil || there != nil || !exists {
				t.Errorf("%v; it exists: %v, %v", err, exists, there)
			}
		})
	}
}

func TestAScratchDatabaseGoes(t *testing.T) {
	at := settings.Store{Address: postgrestest.Database(t) + "&pool_max_conns=5"}
	s, drop, err := Scratch(t.Context(), at, t.TempDir(), true, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), drop()); err != nil {
		t.Error(err)
	}
	if exists, err := Exists(t.Context(), at); err != nil || exists {
		t.Errorf("the other database was used: %v, %v", exists, err)
	}
}

// Who names a database that does not let evrun in learns that waiting is of no use.
func TestADatabaseThatIsNotThere(t *testing.T) {
	_, err := Open(t.Context(), settings.Store{Address: strings.Replace(postgrestest.Database(t), "/test", "/no", 1)}, Options{})
	if opening, ok := errors.AsType[*store.OpenError](err); !ok || opening.Passes || !strings.Contains(opening.Hint, "CREATE DATABASE") {
		t.Errorf("%v", err)
	}
}
