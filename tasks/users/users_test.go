package users

import (
	"strings"
	"testing"
	"time"
)

func TestAUserIsDecoded(t *testing.T) {
	u, err := Decode([]byte(`{"id":7,"name":"Ada, \"the\" first\n🎉","email":"ada@example.com","attributes":{"a": [1]},"created_at":"2026-11-27T05:05:06.1234567+01:00","event_id":"e"}`))
	if err != nil || u.ID != 0 || u.Name != "Ada, \"the\" first\n🎉" || string(u.Attributes) != `{"a": [1]}` || u.EventID != "e" ||
		!u.CreatedAt.Equal(time.Date(2026, 11, 27, 4, 5, 6, 123456000, time.UTC)) {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := Decode([]byte(`{"email":"a@b","attributes":null,"created_at":null,"name":null}`)); err != nil || u.Attributes != nil || !u.CreatedAt.IsZero() {
		t.Errorf("%+v, %v", u, err)
	}
	for text, want := range map[string]string{
		`{`: "not valid JSON", `[1]`: "not a JSON object", `null`: "not a JSON object", `{}`: "email: \"\" is not a valid",
		`{"email":"a@b","phone":"1"}`: `"phone": a user has id, name,`, `{"email":"a@b","name":5}`: `name: "5" is not a text`,
		`{"email":"a@b","name":"x\u0000"}`: "there is a NUL", `{"email":"a@b","attributes":[1]}`: "is not a map", `{"email":"a@b","created_at":"now"}`: "is not a time",
	} {
		if _, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
