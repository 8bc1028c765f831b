package expression

import (
	"encoding/json"
	"strings"
	"testing"

	"evrun/events"
)

func TestWhatIsMadeOfSecretsAloneIsASecret(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-value")
	t.Setenv("EVRUN_TEST_MODE", "production")
	var secrets Secrets
	env := NewEnv(&events.Event{Data: json.RawMessage(`{"name":"Ada Lovelace"}`)})
	for _, src := range []string{
		`upper(env("EVRUN_TEST_TOKEN"))`, `env("EVRUN_TEST_MODE") == "production" ? "live-mode" : "test-mode"`, `env("EVRUN_TEST_TOKEN") + data.name`,
		`env("EVRUN_TEST_MODE") == "x"`,
	} {
		x, err := Compile(src, HandlerWith.In("", &secrets))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Eval(env); err != nil {
			t.Fatal(err)
		}
	}
	if got := secrets.Redact("S3CRET-VALUE live-mode false Ada Lovelace"); got != "[secret] live-mode false Ada Lovelace" {
		t.Error(got)
	}
}

func TestErrorsOfExpressionsWithSecretsShowNoValue(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-value")
	env := NewEnv(&events.Event{Data: json.RawMessage(`{"n":1}`)})
	for src, want := range map[string]string{
		`date(upper(env("EVRUN_TEST_TOKEN")))`:           "can't be evaluated",
		`int(replace(env("EVRUN_TEST_TOKEN"), "s", ""))`: "can't be evaluated",
		`join([len(env("EVRUN_TEST_TOKEN")), nil])`:      "can't be evaluated",
		`env("EVRUN_TEST_NONE")`:                         "EVRUN_TEST_NONE is not set",
		`env("EVRUN_TEST_TOKEN") + data.x.y`:             "data.x is nil",
		`repeat(env("EVRUN_TEST_TOKEN"), 100000000)`:     "too much memory",
	} {
		x, err := Compile(src, HandlerWith.In("", nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Eval(env); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(strings.ToLower(err.Error()), "3cret-") {
			t.Errorf("%s: %v", src, err)
		}
	}
}
