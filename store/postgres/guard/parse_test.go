package guard

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"evrun/store"
)

func names(s *store.Statement) (list []string) {
	for _, p := range s.Params {
		list = append(list, p.Name)
	}
	return list
}

func TestAStatementIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		text, sql string
		verb      string
		params    []string
		reads     bool
		returns   bool
	}{
		{"SELECT 1", "SELECT 1", "SELECT", nil, true, true},
		{" -- all\n SELECT :a, :b, :a ; /* end /* of */ it */ ", "SELECT  $1,  $2,  $1", "SELECT", []string{"a", "b"}, true, true},
		{"SELECT :a::int, x::text, '::b', b[1:2], b[1 : 2], c[:lo:2]", "SELECT  $1::int, x::text, '::b', b[1:2], b[1 : 2], c[ $2:2]", "SELECT", []string{"a", "lo"}, true, true},
		{"SELECT E'\\' :no', 'it''s :no', $$ :no $$, $x$ $$ :no $x$, \":no\", U&'\\0041:no', B'01', X'ff', N'a', e'\\\\', :yes", "", "SELECT", []string{"yes"}, true, true},
		{"SELECT '\\', :yes", "", "SELECT", []string{"yes"}, true, true},
		{"SELECT a ? 'b', a ?| :k, a @> '{}', @ -5, a #>> '{x}' FROM t", "", "SELECT", []string{"k"}, true, true},
		{"(SELECT 1) UNION (SELECT :a)", "", "SELECT", []string{"a"}, true, true},
		{"VALUES (:a)", "", "VALUES", []string{"a"}, true, true},
		{"WITH q AS (SELECT 1), r (x) AS MATERIALIZED (VALUES (1)) SELECT * FROM q, r", "", "SELECT", nil, true, true},
		{"WITH q AS (DELETE FROM t RETURNING *) SELECT * FROM q", "", "SELECT", nil, false, true},
		{"SELECT * FROM t FOR NO KEY UPDATE", "", "SELECT", nil, false, true},
		{"INSERT INTO t VALUES (:a) ON CONFLICT DO NOTHING", "", "INSERT", []string{"a"}, false, false},
		{"INSERT INTO t VALUES (:a) RETURNING id", "", "INSERT", []string{"a"}, false, true},
		{"WITH q AS (SELECT 1 AS n) UPDATE t SET x = n FROM q", "", "UPDATE", nil, false, false},
		{"DELETE FROM t WHERE a=:b", "DELETE FROM t WHERE a= $1", "DELETE", []string{"b"}, false, false},
		{"MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "", "MERGE", nil, false, false},
		{"create table t (x int default 1)", "", "CREATE", nil, false, false},
		{"CREATE UNIQUE INDEX ON t (x)", "", "CREATE", nil, false, false},
		{"CREATE OR REPLACE VIEW v AS SELECT 1 AS returning_x", "", "CREATE", nil, false, false},
		{"SELECT a:b", "SELECT a $1", "SELECT", []string{"b"}, true, true},
	} {
		p, err := parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if c.sql != "" && p.sql != c.sql || p.Verb != c.verb || !slices.Equal(names(&p.Statement), c.params) || p.Reads != c.reads || p.Returns != c.returns {
			t.Errorf("%s:\n%q %+v", c.text, p.sql, p.Statement)
		}
	}
}

func TestAStatementThatIsNoneIsExplained(t *testing.T) {
	const code = "code in the database is for its owner to make: a function that is SECURITY DEFINER, of a role without rights on evrun's tables, may be called"
	for text, want := range map[string]ParseError{
		"":                                   {Msg: "the statement is empty"},
		" ; -- nothing":                      {Msg: "the statement is empty"},
		"SELECT 1; SELECT 2":                 {Offset: 10, Msg: "a second statement begins here", Hint: "write one statement; another one needs a handler of its own"},
		"SELECT 'it''s":                      {Offset: 7, Msg: "the ' is not closed"},
		"SELECT E'it\\'s":                    {Offset: 8, Msg: "the ' is not closed"},
		"SELECT \"x":                         {Offset: 7, Msg: `the " is not closed`},
		"SELECT $q$ it $p$":                  {Offset: 7, Msg: "the $q$ is not closed"},
		"SELECT 1 /* /* x */":                {Offset: 9, Msg: "the comment is not closed", Hint: `close it with "*/"`},
		"SELECT (1))":                        {Offset: 10, Msg: "the ) closes nothing"},
		"SELECT ((1)":                        {Offset: 7, Msg: "the ( is not closed"},
		"SELECT '\x00'":                      {Offset: 8, Msg: "a statement can't have a NUL in it"},
		"SELECT $1":                          {Offset: 7, Msg: "a parameter is written :name, not $1", Hint: "write :name"},
		"SELECT $a":                          {Offset: 7, Msg: "a parameter is written :name, not $a", Hint: "write :a"},
		"SELECT ?1":                          {Offset: 7, Msg: "a parameter is written :name, not ?1", Hint: "write :name"},
		"SELECT ${ data.x }":                 {Offset: 7, Msg: "a statement can't have an expression in it", Hint: "write :name here, and name: ${ … } under params"},
		"SELECT `a`":                         {Offset: 7, Msg: "PostgreSQL has no names in backquotes", Hint: `quote a name like "this"`},
		"PRAGMA journal_mode":                {Msg: "PRAGMA is a statement of SQLite"},
		"REPLACE INTO t VALUES (1)":          {Msg: "REPLACE is a statement of SQLite", Hint: "write INSERT INTO … ON CONFLICT (…) DO UPDATE SET …"},
		"INSERT OR IGNORE INTO t VALUES (1)": {Offset: 7, Msg: "INSERT OR … is a statement of SQLite", Hint: "write INSERT INTO … ON CONFLICT DO NOTHING, or … DO UPDATE SET …"},
		"CREATE TABLE t (id integer AUTOINCREMENT)":                    {Offset: 27, Msg: "AUTOINCREMENT is a word of SQLite", Hint: "write id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
		"CREATE TABLE t (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)":  {Offset: 40, Msg: "a constraint can't be deferred", Hint: "at the commit it would undo the work of others too"},
		"CREATE TABLE t (x int DEFAULT :x)":                            {Offset: 30, Msg: "CREATE can't have a parameter"},
		"CREATE TEMP TABLE t (x int)":                                  {Offset: 7, Msg: "temporary tables and views are not allowed"},
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$": {Offset: 7, Msg: "CREATE FUNCTION is not allowed", Hint: code},
		"CREATE EXTENSION x":                                           {Offset: 7, Msg: "CREATE EXTENSION is not allowed", Hint: "migrate is for tables, indexes, views, sequences, types, domains, schemas and triggers"},
		"DROP":                                                         {Msg: "nothing follows the DROP"},
		"CREATE INDEX CONCURRENTLY ON t(x)":                            {Offset: 13, Msg: "CONCURRENTLY is not allowed", Hint: "it can't run in a transaction; run such a statement by hand, before the wiring needs it"},
		"TRUNCATE t":                                                   {Msg: "TRUNCATE is not allowed", Hint: "DELETE FROM the table"},
		"BEGIN":                                                        {Msg: "BEGIN is not allowed", Hint: "each statement is in a transaction already"},
		"COPY t TO '/x'":                                               {Msg: "COPY is not allowed"},
		"WITH a AS (SELECT 1)":                                         {Msg: "nothing follows the WITH", Hint: "end it with a SELECT, INSERT, UPDATE or DELETE"},
		"SELEKT 1":                                                     {Msg: "this is not an SQL statement", Hint: "it begins with SELECT, INSERT, UPDATE, DELETE, MERGE, WITH or VALUES"},
	} {
		_, err := Parse(text)
		var got *ParseError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%q:\n got %#v\nwant %#v", text, err, want)
		}
	}
	var fault *ParseError
	if _, err := Parse("SELECT $a"); !errors.As(err, &fault) || err.Error() != "a parameter is written :name, not $a; write :a" {
		t.Error(err)
	}
	if offset, message, hint := fault.Fault(); offset != 7 || message != "a parameter is written :name, not $a" || hint != "write :a" {
		t.Error(offset, message, hint)
	}
}

func TestTheKeyIsThatOfTheWords(t *testing.T) {
	key := func(text string) string {
		t.Helper()
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s.Key
	}
	if a, b := key("CREATE TABLE t(x text DEFAULT 'a  b');"), key("CREATE  TABLE t ( x text DEFAULT -- the x\n'a  b' )"); a != b {
		t.Errorf("%q and %q differ", a, b)
	}
	if a, b := key("INSERT INTO t VALUES ('a b')"), key("INSERT INTO t VALUES ('a  b')"); a == b {
		t.Errorf("both are %q", a)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"SELECT :a; --", "SELECT E'\\'', $a$ $a$, U&'x', /* /* */ */ a[:b]", "WITH a(b) AS (SELECT '(') INSERT INTO t VALUES (x'00')", "CREATE VIEW v AS SELECT 1 WITH CHECK OPTION", "WITH", "SELECT $", ":"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			var fault *ParseError
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > len(text) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		if !strings.Contains(text, s.Text) {
			t.Fatalf("%q is not in %q", s.Text, text)
		}
		for _, again := range []string{s.Text, s.Key} {
			same, err := Parse(again)
			if err != nil || same.Key != s.Key || same.Verb != s.Verb || !slices.Equal(names(same), names(s)) {
				t.Fatalf("%q, parsed again as %q: %v", text, again, err)
			}
		}
	})
}

func FuzzTree(f *testing.F) {
	for _, seed := range []string{"({QUERY :commandType 1 :rtable ({RANGETBLENTRY :eref {ALIAS :aliasname :relid\\ 5\\{ :colnames (\"a\")} :relid 7}) :x <>})", "{CONST :constvalue 4 [ 1 0 0 0 0 0 0 0 ]}", "((", "{A :b", "{A :aliasname :relid :colnames (\"x\")}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := parseTree(text)
		if err == nil {
			root.walk(func(n *node) { n.constant(); n.oids("relid"); n.number("commandType") })
		}
	})
}

// A name that a user gives can't be taken for a field, nor hide one.
func TestNamesInATreeAreNotFields(t *testing.T) {
	root, err := parseTree(`({RTE :alias {ALIAS :aliasname :relid :colnames <>} :eref {ALIAS :aliasname \:relid\ 5\ \{X\ :relid\ 6\} :colnames ("a\"b" ":relid" "7")} :relid 8 :requiredPerms 2})`)
	if err != nil {
		t.Fatal(err)
	}
	var found []uint32
	root.walk(func(n *node) { found = append(found, n.oids("relid")...) })
	if !slices.Equal(found, []uint32{8}) {
		t.Error(found)
	}
}
