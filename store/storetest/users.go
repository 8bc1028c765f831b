package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"evrun/store"
)

func insertUser(t *testing.T, s store.Store, h store.HandlerID, id string, u store.User, on store.OnConflict) (got store.User, err error) {
	t.Helper()
	e := event("a.b", id)
	u.EventID = e.ID
	appendAll(t, s, e)
	settle(t, s, store.Settlement{Event: e, Handler: h, Attempt: 1, Started: at, Insert: &store.UserInsert{User: u, On: on, Then: func(u store.User, failed error) store.Outcome {
		got, err = u, failed
		return stored(u, err)
	}}})
	return got, err
}

func users(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	before := time.Now().Truncate(time.Microsecond)
	for i := range 5 {
		u, err := insertUser(t, s, h, fmt.Sprint(i), store.User{Name: fmt.Sprint("User ", i), Email: fmt.Sprintf("u%d@example.com", i), Attributes: []byte(`{"n":1}`)}, store.Fail)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "created now", !u.CreatedAt.Before(before) && !u.CreatedAt.After(time.Now()), true)
	}
	u := must(s.User(ctx, "u3@example.com"))(t)
	equal(t, "name", u.Name, "User 3")
	equal(t, "attributes", string(u.Attributes), `{"n":1}`)
	equal(t, "event", u.EventID, "3")
	equal(t, "by id", must(s.User(ctx, fmt.Sprint(u.ID)))(t).Email, u.Email)
	equal(t, "whatever the case", must(s.User(ctx, "U3@Example.com"))(t).ID, u.ID)
	page := must(s.ListUsers(ctx, 0, 2))(t)
	equal(t, "page", len(page), 2)
	rest := must(s.ListUsers(ctx, page[1].ID, 0))(t)
	equal(t, "rest", len(rest), 3)
	equal(t, "count", must(s.CountUsers(ctx))(t), 5)
	for text, want := range map[string]int{"user": 5, "u3@": 1, "er 4": 1, "%": 0, "example.com": 5} {
		found := must(s.SearchUsers(ctx, 0, [][]string{{text, "nowhere"}, {"example"}}, 9, 100))(t)
		equal(t, "found "+text, len(found.Items), want)
		equal(t, "all was looked at", found.End, true)
	}
	part := must(s.SearchUsers(ctx, 0, [][]string{{"user"}}, 2, 3))(t)
	equal(t, "a full step reaches its last user", part.Reached, page[1].ID)
	part = must(s.SearchUsers(ctx, part.Reached, [][]string{{"u4@"}}, 2, 2))(t)
	equal(t, "a step without users", part.End || len(part.Items) > 0, false)
	equal(t, "what is left", part.Left, 1)
	for _, key := range []string{"nobody@example.com", "99", ""} {
		if _, err := s.User(ctx, key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("user %q: %v", key, err)
		}
	}
}

func userConflicts(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	ada, _ := insertUser(t, s, h, "1", store.User{Name: "Ada", Email: "ada@example.com"}, store.Fail)
	if _, err := insertUser(t, s, h, "2", store.User{Name: "Other", Email: "ADA@example.com"}, store.Fail); !errors.Is(err, store.ErrConflict) {
		t.Errorf("fail: %v", err)
	}
	got, err := insertUser(t, s, h, "3", store.User{Name: "Other", Email: "ada@example.com"}, store.Ignore)
	equal(t, "ignore: error", err, nil)
	equal(t, "ignore: id", got.ID, ada.ID)
	equal(t, "ignore: name", got.Name, "Ada")
	got, err = insertUser(t, s, h, "4", store.User{Name: "Countess", Email: "ada@example.com", Attributes: []byte(`{"a":1}`)}, store.Update)
	equal(t, "update: error", err, nil)
	equal(t, "update: id", got.ID, ada.ID)
	stored := must(s.User(ctx, "ada@example.com"))(t)
	equal(t, "update: name", stored.Name, "Countess")
	equal(t, "update: attributes", string(stored.Attributes), `{"a":1}`)
	equal(t, "count", must(s.CountUsers(ctx))(t), 1)
}

func usersImport(t *testing.T, d Driver) {
	s := d.Open(t, store.Options{})
	h := register(t, s, "h")[0].ID
	ada, _ := insertUser(t, s, h, "1", store.User{Name: "Ada", Email: "ada@example.com"}, store.Fail)
	then := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	list := []store.User{
		{Name: "Alan", Email: "alan@example.com", CreatedAt: then, EventID: "e", Attributes: []byte(`{"a":1}`)},
		{Name: "Countess", Email: "ADA@example.com", Attributes: []byte(`{"b":1}`), CreatedAt: then},
		{Name: "Alan again", Email: "alan@example.com"},
	}
	done := must(s.ImportUsers(ctx, list, store.Ignore))(t)
	equal(t, "new", done[0].New, true)
	equal(t, "kept", done[1].New || done[1].Updated || done[2].New || done[2].Updated, false)
	equal(t, "kept as it was", done[1].User.Name, "Ada")
	alan := must(s.User(ctx, "alan@example.com"))(t)
	equal(t, "created then", alan.CreatedAt, then)
	equal(t, "event", alan.EventID, "e")
	equal(t, "attributes", string(alan.Attributes), `{"a":1}`)
	done = must(s.ImportUsers(ctx, list[1:2], store.Update))(t)
	equal(t, "updated", done[0].Updated, true)
	got := must(s.User(ctx, "ada@example.com"))(t)
	equal(t, "name", got.Name, "Countess")
	equal(t, "created", got.CreatedAt, ada.CreatedAt)
	done = must(s.ImportUsers(ctx, list, store.Fail))(t)
	if !errors.Is(done[0].Err, store.ErrConflict) || !errors.Is(done[2].Err, store.ErrConflict) {
		t.Errorf("fail: %+v", done)
	}
	equal(t, "count", must(s.CountUsers(ctx))(t), 2)
}
