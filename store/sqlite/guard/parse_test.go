package guard_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"evrun/store"
	"evrun/store/sqlite/guard"
)

func names(s *store.Statement) (list []string) {
	for _, p := range s.Params {
		list = append(list, p.Name)
	}
	return list
}

func TestAStatementIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		text, is, verb string
		params         []string
		returns        bool
	}{
		{"SELECT 1", "SELECT 1", "SELECT", nil, true},
		{" \n-- first\nselect :a, ':b', \":c\", `:d`, [:e], :f /* :g */, :a ; ; -- done", "select :a, ':b', \":c\", `:d`, [:e], :f /* :g */, :a", "SELECT", []string{"a", "f"}, true},
		{"INSERT INTO t VALUES ('it''s; here', x'00', \"a\"\"b;\", 1.5e3)", "", "INSERT", nil, false},
		{"insert into t values (:ü_1) returning id", "", "INSERT", []string{"ü_1"}, true},
		{`INSERT INTO t ("returning") VALUES ('RETURNING')`, "", "INSERT", nil, false},
		{"REPLACE INTO t VALUES (1)", "", "REPLACE", nil, false},
		{"VALUES (1)", "", "VALUES", nil, true},
		{"WITH a AS (SELECT ')' FROM (SELECT 1)), replace(x, y) AS NOT MATERIALIZED (SELECT 1, 2) UPDATE t SET a = 1", "", "UPDATE", nil, false},
		{"WITH RECURSIVE replace AS (SELECT 1) DELETE FROM t", "", "DELETE", nil, false},
		{"WITH \"insert\" AS MATERIALIZED (VALUES (1)) SELECT * FROM \"insert\"", "", "SELECT", nil, true},
		{"SELECT data ->> '$.a', data->'x' FROM t WHERE a = 1-1", "", "SELECT", nil, true},
		{"CREATE TABLE t (x DEFAULT ';')", "", "CREATE", nil, false},
		{"CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET x = CASE WHEN 1 THEN 2 END; DELETE FROM u; END;", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET x = CASE WHEN 1 THEN 2 END; DELETE FROM u; END", "CREATE", nil, false},
		{"DROP VIEW v", "", "DROP", nil, false},
		{"ALTER TABLE t RENAME TO rollback", "", "ALTER", nil, false},
	} {
		s, err := guard.Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if c.is == "" {
			c.is = c.text
		}
		if s.Text != c.is || s.Verb != c.verb || !slices.Equal(names(s), c.params) || s.Returns != c.returns {
			t.Errorf("%s:\n%+v", c.text, s)
		}
	}
}

func TestAStatementThatIsNoneIsExplained(t *testing.T) {
	for text, want := range map[string]guard.ParseError{
		"":                                     {Msg: "the statement is empty"},
		" ; -- nothing":                        {Msg: "the statement is empty"},
		"SELECT 1; SELECT 2":                   {Offset: 10, Msg: "a second statement begins here", Hint: "write one statement; another one needs a handler of its own"},
		"SELECT 1; 'x":                         {Offset: 10, Msg: "the ' is not closed"},
		"SELECT ';' ; DROP":                    {Offset: 13, Msg: "a second statement begins here", Hint: "write one statement; another one needs a handler of its own"},
		"SELECT 'it''s":                        {Offset: 7, Msg: "the ' is not closed"},
		"SELECT [x":                            {Offset: 7, Msg: "the [ is not closed"},
		"SELECT 1 /* x":                        {Offset: 9, Msg: "the comment is not closed", Hint: `close it with "*/"`},
		"SELECT (1))":                          {Offset: 10, Msg: "the ) closes nothing"},
		"SELECT ((1)":                          {Offset: 7, Msg: "the ( is not closed"},
		"SELECT 1\x00":                         {Offset: 8, Msg: "a statement can't have a NUL in it"},
		"SELECT '\x00'":                        {Offset: 8, Msg: "a statement can't have a NUL in it"},
		"SELECT ?":                             {Offset: 7, Msg: "a parameter is written :name, not ?", Hint: "write :name"},
		"SELECT ?12":                           {Offset: 7, Msg: "a parameter is written :name, not ?12", Hint: "write :name"},
		"SELECT @a":                            {Offset: 7, Msg: "a parameter is written :name, not @a", Hint: "write :a"},
		"SELECT $a":                            {Offset: 7, Msg: "a parameter is written :name, not $a", Hint: "write :a"},
		"SELECT : a":                           {Offset: 7, Msg: "a parameter is written :name, not :", Hint: "write :name"},
		"SELECT ${ data.x }":                   {Offset: 7, Msg: "a statement can't have an expression in it", Hint: "write :name here, and name: ${ … } under params"},
		"CREATE TEMP TABLE t (x)":              {Offset: 7, Msg: "temporary tables, views and triggers are not allowed"},
		"INSERT OR ROLLBACK INTO t VALUES (1)": {Offset: 10, Msg: "ROLLBACK would undo the work of others too", Hint: "ABORT undoes this statement's"},
		"CREATE TABLE t (x UNIQUE ON CONFLICT ROLLBACK)":                             {Offset: 37, Msg: "ROLLBACK would undo the work of others too", Hint: "ABORT undoes this statement's"},
		"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT RAISE(ROLLBACK, 'x'); END": {Offset: 55, Msg: "ROLLBACK would undo the work of others too", Hint: "ABORT undoes this statement's"},
		"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END; DELETE FROM t":     {Offset: 57, Msg: "a second statement begins here", Hint: "write one statement; another one needs a handler of its own"},
		"CREATE TABLE t (x REFERENCES u DEFERRABLE INITIALLY DEFERRED)":              {Offset: 42, Msg: "a foreign key can't be deferred", Hint: "at the commit it would undo the work of others too"},
		"PRAGMA journal_mode = off":                                                  {Msg: "PRAGMA is not allowed"},
		"/* x */ attach 'x' AS y":                                                    {Offset: 8, Msg: "ATTACH is not allowed", Hint: "name another SQLite file in dsn"},
		"BEGIN":                                                                      {Msg: "BEGIN is not allowed", Hint: "each statement is in a transaction already"},
		"END":                                                                        {Msg: "END is not allowed", Hint: "each statement is in a transaction already"},
		"VACUUM INTO 'x'":                                                            {Msg: "VACUUM is not allowed"},
		"EXPLAIN SELECT 1":                                                           {Msg: "EXPLAIN is not allowed"},
		"WITH a AS (SELECT 1)":                                                       {Msg: "nothing follows the WITH", Hint: "end it with a SELECT, INSERT, UPDATE or DELETE"},
		"WITH a AS (SELECT 1) CREATE TABLE t (x)":                                    {Msg: "nothing follows the WITH", Hint: "end it with a SELECT, INSERT, UPDATE or DELETE"},
		"SELEKT 1": {Msg: "this is not an SQL statement", Hint: "it begins with SELECT, INSERT, UPDATE, DELETE, WITH or VALUES"},
	} {
		_, err := guard.Parse(text)
		var got *guard.ParseError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%q:\n got %#v\nwant %#v", text, err, want)
		}
	}
}

func TestAFaultOfAStatementIsOneLine(t *testing.T) {
	_, err := guard.Parse("SELECT ?")
	var fault *guard.ParseError
	if !errors.As(err, &fault) || err.Error() != "a parameter is written :name, not ?; write :name" {
		t.Fatal(err)
	}
	if offset, message, hint := fault.Fault(); offset != 7 || message != "a parameter is written :name, not ?" || hint != "write :name" {
		t.Error(offset, message, hint)
	}
	if _, err := guard.Parse("VACUUM"); err == nil || err.Error() != "VACUUM is not allowed" {
		t.Error(err)
	}
}

func TestTheKeyIsThatOfTheWords(t *testing.T) {
	key := func(text string) string {
		t.Helper()
		s, err := guard.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.Key
	}
	if a, b := key("CREATE TABLE t(x, 'a  b');"), key("CREATE  TABLE t ( x,-- the x\n'a  b' )"); a != b {
		t.Errorf("%q and %q differ", a, b)
	}
	if a, b := key("INSERT INTO t VALUES ('a b')"), key("INSERT INTO t VALUES ('a  b')"); a == b {
		t.Errorf("both are %q", a)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"SELECT :a; --", "CREATE TRIGGER t AFTER INSERT ON t BEGIN SELECT 1; END;", "WITH a(b) AS (SELECT '(') INSERT INTO t VALUES (x'00')", "SELECT [a]];/*", "WITH", "WITH a AS"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := guard.Parse(text)
		if err != nil {
			var fault *guard.ParseError
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > len(text) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		if !strings.Contains(text, s.Text) {
			t.Fatalf("%q is not in %q", s.Text, text)
		}
		for _, again := range []string{s.Text, s.Key} {
			same, err := guard.Parse(again)
			if err != nil || same.Key != s.Key || same.Verb != s.Verb || !slices.Equal(names(same), names(s)) {
				t.Fatalf("%q, parsed again as %q: %v", text, again, err)
			}
		}
	})
}
