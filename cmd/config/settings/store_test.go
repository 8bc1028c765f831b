package settings

import (
	"strings"
	"testing"
)

func TestPasswordsOfDatabasesAreNotPrinted(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://db1/evrun":                             "postgres://db1/evrun",
		"postgres://evrun@db1/evrun?sslmode=require":       "postgres://evrun@db1/evrun?sslmode=require",
		"postgres://evrun:secret@db1:5432,db2:5432/evrun":  "postgres://evrun:***@db1:5432,db2:5432/evrun",
		"postgresql://evrun:sec@ret,se:cret@db1/evrun":     "postgresql://evrun:***@db1/evrun",
		"postgres://:secret@db1/evrun":                     "postgres://:***@db1/evrun",
		"postgres://e@db1/evrun?password=secret&port=5433": "postgres://e@db1/evrun?password=***&port=5433",
		"postgres://e@db1/evrun?port=5433&password=secret": "postgres://e@db1/evrun?port=5433&password=***",
		"postgres:///evrun?host=/run&sslpassword=secret":   "postgres:///evrun?host=/run&sslpassword=***",
		"postgres://e@db1:5432/evrun":                      "postgres://e@db1:5432/evrun",
		"postgres://db1:5432/evrun?user=a@b":               "postgres://db1:5432/evrun?user=a@b",
		"postgres://e:sec/ret@db1/evrun":                   "postgres://e:***@db1/evrun",
		"postgres://e:12/secret@db1/evrun":                 "postgres://e:***@db1/evrun",
		"postgres://e:sec?ret@db1/evrun":                   "postgres://e:***@db1/evrun",
		"postgres://e:sec@?ret@db1/evrun":                  "postgres://e:***@db1/evrun",
		"postgres://e:12?secret@db1/evrun":                 "postgres://e:***@db1/evrun",
		"postgres://e:sec#ret@db1/evrun":                   "postgres://e:***@db1/evrun",
		"postgres://e:sec%zret@db1/evrun":                  "postgres://e:***@db1/evrun",
	} {
		if got := (Store{Address: address}).String(); got != want {
			t.Errorf("%s: %s, not %s", address, got, want)
		}
		if text := Redact("dial " + address + " is said"); text != "dial "+want+" is said" {
			t.Errorf("within a text: %s", text)
		}
	}
	if text := "a@b: no database here, postgresql or otherwise"; Redact(text) != text {
		t.Error(Redact(text))
	}
}

func TestWhatIsWrongWithTheURLOfADatabase(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://u@db1:5432,db2:5432/evrun?target_session_attrs=read-write": "",
		"postgres:///evrun?host=/run/postgresql":                               "",
		"postgres://u:p%40ss@db1/evrun?passfile=x&sslrootcert=y":               "",
		"postgres:evrun":                       "is not the URL of a database",
		"postgres://u:se%zzcret@db1/evrun":     "is not valid",
		"postgres://u:se/cret@db1/evrun":       "is not valid",
		"postgres://db1/evrun#x":               "has a # in it",
		"postgres://db1/evrun?sslmode=yes":     "sslmode can't be",
		"postgres://db1/evrun?ssl_mode=x":      `unknown parameter "ssl_mode"`,
		"postgres://db1/evrun?search_path=x":   "can't have the parameter search_path",
		"postgres://db1/evrun?port=1&port=2":   "twice",
		"postgres://db1/evrun?host=%zz":        "parameters",
		"postgres://u:secret@db1/evrun/public": `"evrun/public" is not the name of a database`,
	} {
		f := checkAddress(address)
		switch {
		case f == nil:
			if want != "" {
				t.Errorf("%s: nothing is wrong", address)
			}
		case want == "" || !strings.Contains(f.Message, want):
			t.Errorf("%s: %s", address, f.Message)
		case strings.Contains(f.Error()+f.Hint, "cret"):
			t.Errorf("the password is shown: %s (%s)", f.Error(), f.Hint)
		}
	}
}

func TestAPlaceIsFoundAgain(t *testing.T) {
	known := Store{Address: "postgres://u:secret@db1/evrun", Synchronous: "full"}
	if got := Named(known.String(), known); got != known {
		t.Errorf("%+v", got)
	}
	if got := Named("postgres://u:***@db2/evrun", known); got.Address != "postgres://u@db2/evrun" {
		t.Errorf("%+v", got)
	}
	if got := Named("/x/evrun.db", known); got.Path != "/x/evrun.db" || got.Shared() {
		t.Errorf("%+v", got)
	}
	if got := PlaceIn("/etc/evrun", "postgres://u:secret@db1/evrun?passfile=pass&sslmode=require"); got != "postgres://u:***@db1/evrun?passfile=/etc/evrun/pass&sslmode=require" {
		t.Error(got)
	}
	if got := PlaceIn("/etc/evrun", "a/../b.db"); got != "/etc/evrun/b.db" {
		t.Error(got)
	}
}

func TestKeywordsAreNoFile(t *testing.T) {
	const text = "host=db1 user=evrun password=secret dbname=evrun"
	if s, err := Place(text); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v, %v", s, err)
	}
	if got := Redact("store: " + text); got != "store: host=db1 user=evrun password=*** dbname=evrun" {
		t.Error(got)
	}
}
