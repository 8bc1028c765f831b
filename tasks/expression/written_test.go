package expression

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"evrun/events"
)

func accepted() *Env {
	e := ada()
	e.AcceptedAt = time.Date(2026, 3, 4, 5, 6, 8, 9000, time.UTC)
	env := NewEnv(e)
	env.In("42-save-user-k3f9x2q7", "save-user", 2)
	return env
}

func TestFunctionsThatWriteTexts(t *testing.T) {
	for src, want := range map[string]string{
		`sprintf("%s|%5s|%-5s|%.2s", data.name, "a", "b", "früh")`:               "Ada|    a|b    |fr",
		`sprintf("%d %d %05d %+d %x", data.age, data.huge, 7, 7, 255)`:           "36 123456789012345678901234567890 00007 +7 ff",
		`sprintf("%.2f %.0f %f %e", data.age, 2.5, data.big, 1500.0)`:            "36.00 2 9007199254740993.000000 1.500000e+03",
		`sprintf("%v %s %q %t %c%%", data.tags, data.user, "a\"b", data.ok, 65)`: `["a","b"] {"first name":"A"} "a\"b" true A%`,
		`sprintf("%d", 3.0)`:   "3",
		`sprintf("100%%")`:     "100%",
		`sprintf("%s", now())`: "2026-03-04T05:06:08.000009Z",
		`strftime(event.time, "%Y-%m-%d %H:%M:%S.%f %A %j")`:        "2026-03-04 05:06:07.000008 Wednesday 063",
		`strftime(now(), "%-d.%-m.%y %:z")`:                         "4.3.26 +00:00",
		`strftime("2026-07-01T12:00:00Z", "%H %Z", "Europe/Paris")`: "14 CEST",
		`strftime("2026-07-01", "%F")`:                              "2026-07-01",
		`strftime("2026-07-01T12:00:00+02:00", "%H %z")`:            "12 +0200",
		`strftime(0, "%F %T")`:                                      "1970-01-01 00:00:00",
		`strftime(1.5, "%S.%L")`:                                    "01.500",
		`strftime(date("2026-07-01") + duration("36h"), "%F %R")`:   "2026-07-02 12:00",
		`strftime("2026-07-01", "")`:                                "",
		`round(2.5)`:                                                "3",
		`round(-2.5)`:                                               "-3",
		`round(2.675, 2)`:                                           "2.68",
		`round(-1.005, 2)`:                                          "-1.01",
		`round(0.5)`:                                                "1",
		`round(0.05)`:                                               "0",
		`round(9.999, 2)`:                                           "10",
		`round(1234.5, -2)`:                                         "1200",
		`round(1250, -2)`:                                           "1300",
		`round(data.big)`:                                           "9007199254740993",
		`round(data.big, 2)`:                                        "9007199254740993",
		`round(data.huge, 2)`:                                       "123456789012345678901234567890",
		`round(1e300, 5)`:                                           "1e+300",
		`round(1e-300, 5)`:                                          "0",
		`round(123.456, 1000000)`:                                   "123.456",
		`round(123.456, -1000000)`:                                  "0",
		`round(5 / 2, 0)`:                                           "3",
		`urlencode("ä /?&=+")`:                                      "%C3%A4%20%2F%3F%26%3D%2B",
		`urlencode(data.age)`:                                       "36",
		`sha256("")`:                                                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		`hmac("sha1", "key", "The quick brown fox jumps over the lazy dog")`:             "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9",
		`hmac("sha256", "key", "The quick brown fox jumps over the lazy dog", "base64")`: "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=",
		`len(hmac("sha384", "k", "t")) + len(hmac("sha512", "k", "t"))`:                  "224",
		`now().Format("15:04:05")`:                  "05:06:08",
		`now() - date(event.time) > duration("1s")`: "true",
		`run.id + " " + string(run.attempt)`:        "42-save-user-k3f9x2q7 2",
		`run.handler`:                               "save-user",
		`toJSON(run) contains "save-user"`:          "true",
	} {
		x, err := CompileTemplate("${ "+src+" }", HandlerWith)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := x.Text(accepted()); err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", src, got, err, want)
		}
	}
}

func TestWrongArgumentsAreExplained(t *testing.T) {
	for src, want := range map[string]string{
		`sprintf("%d", data.name)`:             `sprintf: %d: value 1 must be a whole number; %s writes a text, and int() and float() make a number of one`,
		`sprintf("%d", data.ratio)`:            `sprintf: %d: value 1 must be a whole number`,
		`sprintf("%s", data.none)`:             `sprintf: %s: value 1 is nil, so it can't be written into a text; a value that may be nil needs a default: (data?.name ?? "")`,
		`sprintf("%t", 1)`:                     `sprintf: %t: value 1 must be true or false`,
		`sprintf("%s")`:                        `the format has 1 verb for 0 values`,
		`sprintf(data.name, 1)`:                `sprintf: the format has 0 verbs for 1 value`,
		`sprintf("%y", 1)`:                     `%y is not a verb: there are %s, %d, %f, %e, %g, %x, %q, %t, %c, %b and %o, and %% for a percent sign`,
		`sprintf("%*d", 1, 2)`:                 `%* is not a verb: there are %s, %d, %f, %e, %g, %x, %q, %t, %c, %b and %o, and %% for a percent sign`,
		`sprintf("%[1]d", 1)`:                  `%[ is not a verb: there are %s, %d, %f, %e, %g, %x, %q, %t, %c, %b and %o, and %% for a percent sign`,
		`sprintf("50%", 1)`:                    `% at the end has no verb: %% writes a percent sign`,
		`sprintf("%1000000000d", 1)`:           `%100000… is too wide: the greatest width and precision are 1000`,
		`sprintf("%.1000000000f", 1)`:          `%.100000… is too wide: the greatest width and precision are 1000`,
		`strftime("soon", "%F")`:               `strftime needs a time, not the string "soon"; a time is written as 2026-12-24T18:00:00Z or 2026-12-24, or is a number of seconds since 1970`,
		`strftime(data.huge, "%F")`:            `strftime needs a time, not the number 123456789012345678901234567890; a time is written as 2026-12-24T18:00:00Z or 2026-12-24, or is a number of seconds since 1970`,
		`strftime(now(), "%K")`:                `strftime has no %K`,
		`strftime(now(), "%Y-%")`:              `the layout ends with a %: %% writes a percent sign`,
		`strftime(now(), "2006-01-02")`:        `the layout has no %: strftime writes %Y-%m-%d %H:%M:%S`,
		`strftime(now(), "YYYY-MM-DD")`:        `the layout has no %: strftime writes %Y-%m-%d %H:%M:%S`,
		`round("a")`:                           `round needs other arguments; it is called as round(number) or round(number, places)`,
		`round(1, 2, 3)`:                       `round has too many arguments; it is called as round(number) or round(number, places)`,
		`round(1, "2")`:                        `round needs a whole number here, not a text; it is called as round(number) or round(number, places)`,
		`hmac(sha256, "k", "t")`:               `"sha256" is a function; it is called as sha256(text)`,
		`strftime(now(), "%F", "Europe/Pari")`: `unknown time zone "Europe/Pari"; use a name such as Europe/Paris, or UTC`,
		`round("x" + data.name, 2)`:            ``,
		`round(data.name, 2)`:                  `round needs a number, not the string "Ada"`,
		`urlencode(data.none)`:                 `urlencode: the value is nil, so it can't be written into a text; ?? gives it a default`,
		`sha256(data.age)`:                     `sha256 needs a text, not the number 36`,
		`hmac("md5", "k", data.name)`:          `hmac has no algorithm "md5"; there are sha256, sha1, sha384, sha512`,
		`hmac(data.name, "k", "t")`:            `hmac has no algorithm "Ada"; there are sha256, sha1, sha384, sha512`,
		`hmac("sha256", "k", "t", "base32")`:   `hmac has no encoding "base32"; there are hex, base64`,
		`hmac("sha256", "", "t")`:              `the key of hmac is empty`,
	} {
		x, err := Compile(src, HandlerWhen)
		if err == nil {
			_, err = x.Eval(accepted())
		}
		if err == nil || want != "" && err.Error() != want {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
}

func TestEachLetterOfStrftimeWritesSomething(t *testing.T) {
	for _, letter := range strings.Split("aAbBcCdDeFfgGhHIjklLmMnNpPQrRsStTuUvVwWxXyYzZ+%", "") {
		x, err := CompileTemplate(`${ strftime(event.time, "%`+letter+`") }`, HandlerWith)
		if err != nil {
			t.Errorf("%s: %v", letter, err)
			continue
		}
		if got, err := x.Text(accepted()); err != nil || got == "" || strings.HasPrefix(got, "%") != (letter == "%") {
			t.Errorf("%%%s = %q, %v", letter, got, err)
		}
	}
}

var uuids = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// A tree has places in it, and each evaluation gives the same again.
func TestIdentifiersAreTheSameAtEachAttemptAndDifferAtEachPlace(t *testing.T) {
	tree := map[string]any{
		"a": "${ uuid() }", "b": "${ uuid() }", "list": []any{"${ uuid() }", "${ uuid() }"}, "a1": "${ uuid() }", "text": "${ uuid() } ${ uuid() }",
		"loop": `${ join(map(1..3, uuid()), " ") }`, "two": `${ uuid() + " " + uuid() }`,
	}
	texts := func(place, run string, attempt int) (all []string) {
		v, faults := CompileValue(tree, HandlerEmit.At(place))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		env := NewEnv(ada())
		env.In(run, "h", attempt)
		env.SetResult(map[string]any{"n": 1})
		bound, err := v.Bind(env, NewBudget(10_000, "", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := bound.Eval(env)
		if err != nil {
			t.Fatal(err)
		}
		again, err := v.Eval(env)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := json.Marshal(got)
		second, _ := json.Marshal(again)
		if string(first) != string(second) {
			t.Errorf("two evaluations give %s and %s", first, second)
		}
		for _, text := range regexp.MustCompile(`[0-9a-f-]{36}`).FindAllString(string(first), -1) {
			if !uuids.MatchString(text) {
				t.Errorf("%s is not a UUID of version 8", text)
			}
			all = append(all, text)
		}
		return all
	}
	one := texts("with", "1-h-store", 1)
	if len(one) != 12 {
		t.Fatalf("%d identifiers", len(one))
	}
	seen := map[string]bool{}
	for _, list := range [][]string{one, texts("emit", "1-h-store", 1), texts("with", "2-h-store", 1)} {
		for _, id := range list {
			if seen[id] {
				t.Errorf("%s comes twice", id)
			}
			seen[id] = true
		}
	}
	if got := texts("with", "1-h-store", 2); strings.Join(got, " ") != strings.Join(one, " ") {
		t.Error("the second attempt has other identifiers")
	}
}

func TestNowIsWhenTheEventWasAccepted(t *testing.T) {
	e := ada()
	x, err := Compile(`now()`, HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := x.Eval(NewEnv(e)); err != nil || v != e.Time {
		t.Errorf("an event that is only tried: %v, %v", v, err)
	}
	e.AcceptedAt = e.Time.Add(time.Hour)
	if v, err := x.Eval(NewEnv(e)); err != nil || v != e.AcceptedAt {
		t.Errorf("%v, %v", v, err)
	}
	why, err := Compile(`now() < date("2026-01-01")`, HandlerWhen)
	if err != nil {
		t.Fatal(err)
	}
	if parts := why.Why(NewEnv(e)); len(parts) != 1 || len(parts[0].Reads) != 1 || parts[0].Reads[0].Text != "now()" || parts[0].Reads[0].Value != e.AcceptedAt {
		t.Errorf("%+v", parts)
	}
}

// What is made of a secret and of nothing else is one, and a signature of the event's data is not.
func TestSignaturesAreRedactedLikeWhatTheyAreMadeOf(t *testing.T) {
	t.Setenv("EVRUN_TEST_TOKEN", "s3cret-value")
	var secrets Secrets
	var signature, hash string
	for src, to := range map[string]*string{
		`${ hmac("sha256", env("EVRUN_TEST_TOKEN"), data.name) }`: &signature, `${ sha256(env("EVRUN_TEST_TOKEN")) }`: &hash,
	} {
		x, err := CompileTemplate(src, HandlerWith.In("", &secrets))
		if err != nil {
			t.Fatal(err)
		}
		if *to, err = x.Text(accepted()); err != nil {
			t.Fatal(err)
		}
		if shown, err := x.Shown(accepted()); err != nil || shown != Masked {
			t.Errorf("%s is shown as %s, %v", src, shown, err)
		}
	}
	if got := secrets.Redact("s3cret-value " + hash + " " + signature); got != "[secret] [secret] "+signature {
		t.Error(got)
	}
}

func TestFunctionsOfHostileTexts(t *testing.T) {
	big := strings.Repeat("%s", 500_000)
	text, _ := json.Marshal(map[string]any{"format": big, "wide": strings.Repeat("%1000d", 2000), "x": strings.Repeat("x", 1<<20), "digits": json.Number(strings.Repeat("9", 1<<20)),
		"exponent": json.Number("1e400000000"), "layout": strings.Repeat("%c", 500_000)})
	env := NewEnv(&events.Event{Data: text})
	for src, want := range map[string]string{
		`sprintf(data.format, 1)`:                                       "the format has 500000 verbs for 1 value",
		`sprintf(data.wide, 1)`:                                         "the format has 2000 verbs for 1 value",
		`sprintf("%d", data.digits)`:                                    "must be a whole number",
		`sprintf("%f", data.exponent)`:                                  "must be a number",
		`len(sprintf("%s%s", data.x, data.x))`:                          "2097152",
		`round(data.exponent, 2)`:                                       "1e400000000",
		`len(string(round(data.digits, -3)))`:                           "1048576",
		`strftime(data.x, "%F")`:                                        "strftime needs a time",
		`strftime(data.digits, "%F")`:                                   "strftime needs a time",
		`strftime(now(), "%F", data.x)`:                                 "unknown time zone",
		`len(urlencode(data.x + " "))`:                                  "1048579",
		`len(sha256(data.x)) + len(hmac("sha512", data.x, data.x))`:     "192",
		`count(1..2000, sha256(data.x) == string(#))`:                   "steps",
		`count(1..2000, hmac("sha256", "k", data.x) == string(#))`:      "steps",
		`count(1..2000, urlencode(data.x) == string(#))`:                "steps",
		`count(1..2000, strftime(now(), data.layout) == string(#))`:     "the layout has 1000000 bytes",
		`count(1..100000, strftime(now(), data.layout[0:1000]) == "")`:  "steps",
		`count(1..200000, strftime(now(), "%F", "Europe/Paris") == "")`: "steps",
		`count(1..2000000, uuid() == "")`:                               "steps",
		`count(1..2000, len(sprintf("%s", data.x)) == #)`:               "steps",
		`count(1..2000, {len(sprintf("%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s%1000s", 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35)) == #})`: "steps",
	} {
		x, err := CompileTemplate("${ "+src+" }", HandlerWith)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		env.Within(NewBudget(maxWork/20, "the test allows", "")) // the same, sooner
		got, err := x.Text(env)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %.200s", src, got)
		}
		if len(got) > 2<<20 {
			t.Errorf("%s: %d bytes", src, len(got))
		}
	}
}
