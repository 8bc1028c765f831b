package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"evrun/store"
	"evrun/tasks"
	"evrun/tasks/emission"
	"evrun/tasks/emitter"
	"evrun/tasks/expression"
)

// fakeUsers keeps users by e-mail address, with the semantics of store.UserInsert; err fails every call.
type fakeUsers struct {
	users map[string]store.User
	err   error
}

func (tx *fakeUsers) insert(u store.User, on store.OnConflict) (store.User, error) {
	if tx.err != nil {
		return store.User{}, tx.err
	}
	known, ok := tx.users[strings.ToLower(u.Email)]
	switch {
	case ok && on == store.Fail:
		return store.User{}, fmt.Errorf("insert: %w", store.ErrConflict)
	case ok && on == store.Ignore:
		return known, nil
	case ok:
		known.Name, known.Attributes = u.Name, u.Attributes
		u = known
	default:
		u.ID, u.CreatedAt = int64(len(tx.users)+1), time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	}
	if tx.users == nil {
		tx.users = map[string]store.User{}
	}
	tx.users[strings.ToLower(u.Email)] = u
	return u, nil
}

func (tx *fakeUsers) run(e tasks.Effect) (any, error) { return e.Stored(tx.insert(*e.User, e.On)) }

var fromData = map[string]any{"name": "${ data.name }", "email": "${ data.email }", "attributes": "${ data.attributes }"}

// insert runs user.insert on an event with this data.
func insert(t *testing.T, tx *fakeUsers, onConflict, data string) (any, error) {
	t.Helper()
	with := map[string]any{"on_conflict": onConflict}
	for k, v := range fromData {
		with[k] = v
	}
	effect, err := build[tasks.Inside](t, "user.insert", with, Deps{}).Prepare(delivery(data))
	if err != nil {
		return nil, err
	}
	result, err := tx.run(effect)
	if err != nil {
		return nil, err
	}
	value, err := result.(emission.Result).Value(nil)
	if err != nil {
		t.Fatal(err)
	}
	// The encoded result equals the result that expressions see.
	want, _ := emitter.MarshalData(value)
	if got, err := emitter.MarshalData(result); err != nil || string(got) != string(want) {
		t.Errorf("encoded as %s, %v; want %s", got, err, want)
	}
	return value, nil
}

func TestAUserIsInserted(t *testing.T) {
	tx := &fakeUsers{}
	result, err := insert(t, tx, "fail", `{"name":"Ada","email":"ada@example.com","attributes":{"html":"<b>","big":9007199254740993}}`)
	want := map[string]any{
		"id": int64(1), "name": "Ada", "email": "ada@example.com", "attributes": map[string]any{"html": "<b>", "big": 9007199254740993},
		"created_at": "2026-01-02T03:04:05.000006Z", "event_id": "e1",
	}
	if err != nil || !reflect.DeepEqual(result, want) {
		t.Errorf("%#v, %v; want %#v", result, err, want)
	}
	if got := string(tx.users["ada@example.com"].Attributes); got != `{"big":9007199254740993,"html":"<b>"}` {
		t.Error(got)
	}
	if _, err := json.Marshal(result); err != nil {
		t.Error(err)
	}

	result, err = insert(t, tx, "fail", `{"name":"Bob","email":"bob@example.com"}`)
	if err != nil || result.(map[string]any)["attributes"] != nil || tx.users["bob@example.com"].Attributes != nil {
		t.Errorf("%#v, %v", result, err)
	}
}

// insert compares the encoded result with what expressions see.
func TestAUsersResultIsEncodedWhateverItsName(t *testing.T) {
	for _, name := range []string{`a "quoted" \ name`, "Zoë 🙂", "<b>&", "\x00\x1f\x7f\u0085\u202e\ufffd", "two\nlines"} {
		data, err := json.Marshal(map[string]any{"name": name, "email": "ada@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := insert(t, &fakeUsers{}, "fail", string(data)); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestARepeatedEffectGivesTheSame(t *testing.T) {
	effect, err := build[tasks.Inside](t, "user.insert", fromData, Deps{}).Prepare(delivery(`{"name":"Ada","email":"ada@example.com"}`))
	if err != nil {
		t.Fatal(err)
	}
	first, err1 := (&fakeUsers{}).run(effect) // rolled back
	again, err2 := (&fakeUsers{}).run(effect)
	if err1 != nil || err2 != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("%v, %v; %v, %v", first, err1, again, err2)
	}
}

func TestAKnownAddress(t *testing.T) {
	tx := &fakeUsers{}
	if _, err := insert(t, tx, "fail", `{"name":"Ada","email":"ada@example.com","attributes":{"n":1}}`); err != nil {
		t.Fatal(err)
	}

	_, err := insert(t, tx, "fail", `{"name":"A.","email":"ADA@example.com"}`)
	want := `a user with the e-mail address "ADA@example.com" already exists (on_conflict: ignore or update would allow it)`
	if !errors.Is(err, store.ErrConflict) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}

	result, err := insert(t, tx, "ignore", `{"name":"A.","email":"ada@example.com"}`)
	if r, ok := result.(map[string]any); err != nil || !ok || r["name"] != "Ada" || !reflect.DeepEqual(r["attributes"], map[string]any{"n": 1}) {
		t.Errorf("ignore: %v, %v", result, err)
	}

	result, err = insert(t, tx, "update", `{"name":"A.","email":"ada@example.com","attributes":{"n":2}}`)
	if r, ok := result.(map[string]any); err != nil || !ok || r["name"] != "A." || r["id"] != int64(1) || !reflect.DeepEqual(r["attributes"], map[string]any{"n": 2}) {
		t.Errorf("update: %v, %v", result, err)
	}
}

func TestAStoreThatFailsIsNoConflict(t *testing.T) {
	_, err := insert(t, &fakeUsers{err: store.ErrFull}, "fail", `{"name":"Ada","email":"ada@example.com"}`)
	if !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
}

func TestAttributesHaveToBeAMap(t *testing.T) {
	for attributes, want := range map[string]string{
		`"x"`: `attributes: "\"x\"" is not a map`,
		`[1]`: `attributes: "[1]" is not a map`,
		`3`:   `attributes: "3" is not a map`,
	} {
		_, err := insert(t, &fakeUsers{}, "fail", `{"name":"Ada","email":"ada@example.com","attributes":`+attributes+`}`)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", attributes, err, want)
		}
	}
}

func TestAWrongAddressIsAPermanentError(t *testing.T) {
	_, err := insert(t, &fakeUsers{}, "fail", `{"name":"Ada","email":"ada.example.com"}`)
	if want := `email: "ada.example.com" is not a valid e-mail address: it has no "@"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if reflect.TypeOf(err) != reflect.TypeOf(tasks.Permanent(err)) {
		t.Errorf("%T is not permanent", err)
	}
	_, err = insert(t, &fakeUsers{}, "fail", `{"name":"Ada","email":"`+strings.Repeat("é", 500)+`@x"}`)
	if err == nil || len(err.Error()) > 200 {
		t.Error(err)
	}
}

// BenchmarkPrepareUserInsert is what a worker does for one event: decode its data, evaluate, check.
func BenchmarkPrepareUserInsert(b *testing.B) {
	action := build[tasks.Inside](b, "user.insert", map[string]any{"name": "${ data.name }", "email": "${ data.email }"}, Deps{})
	d := delivery(`{"name":"Ada Lovelace","email":"ada@example.com"}`)
	b.ReportAllocs()
	for b.Loop() {
		d.Env = expression.NewEnv(d.Event)
		if _, err := action.Prepare(d); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUserInsertEffect is what the writer's transaction waits for, beside the store.
func BenchmarkUserInsertEffect(b *testing.B) {
	action := build[tasks.Inside](b, "user.insert", map[string]any{"name": "${ data.name }", "email": "${ data.email }", "on_conflict": "ignore"}, Deps{})
	effect, err := action.Prepare(delivery(`{"name":"Ada Lovelace","email":"ada@example.com"}`))
	if err != nil {
		b.Fatal(err)
	}
	tx := &fakeUsers{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tx.run(effect); err != nil {
			b.Fatal(err)
		}
	}
}
