package schema

import (
	"io/fs"
	"maps"
	"regexp"
	"strings"
	"sync"

	"evrun/store/sqlite/conn"
)

// OwnTables are the tables that the migrations create, in lower case.
var OwnTables = sync.OnceValue(func() map[string]bool {
	created := regexp.MustCompile(`(?i)\bCREATE TABLE (?:IF NOT EXISTS )?(\w+)`)
	names := map[string]bool{}
	for _, script := range scripts() {
		for _, m := range created.FindAllStringSubmatch(script, -1) {
			names[strings.ToLower(m[1])] = true
		}
	}
	return names
})

// scripts returns the texts of the migrations.
func scripts() (texts []string) {
	files, _ := fs.Glob(Migrations, "migrations/*.sql") // the pattern is right
	for _, name := range files {
		script, err := Migrations.ReadFile(name)
		if err != nil {
			panic(err) // embedded
		}
		texts = append(texts, string(script))
	}
	return texts
}

// viewStatement is a view in a migration. A user's table, view or index may have had its name before.
var viewStatement = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)CREATE VIEW IF NOT EXISTS ((\w+) AS\b[^;]*);`)
})

// freeViews removes the views from a migration whose names the file has already, for something of its user's: that stays.
func freeViews(c *conn.Conn, script string) (string, error) {
	for _, m := range viewStatement().FindAllStringSubmatch(script, -1) {
		taken, err := c.Pairs(`SELECT name FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type <> 'trigger'`, m[2])
		if err != nil {
			return "", err
		}
		if len(taken) > 0 {
			script = strings.Replace(script, m[0], "", 1)
		}
	}
	return script, nil
}

// Own returns the tables and the views of a file that are evrun's, in lower case. A view of its user's that has the name of one of evrun's is
// not evrun's.
func Own(c *conn.Conn) (map[string]bool, error) {
	views, err := c.Pairs(`SELECT lower(name), sql FROM sqlite_schema WHERE type = 'view'`)
	if err != nil {
		return nil, err
	}
	own := maps.Clone(OwnTables())
	for _, script := range scripts() {
		for _, m := range viewStatement().FindAllStringSubmatch(script, -1) {
			for _, v := range views {
				if v[0] == strings.ToLower(m[2]) && v[1] == "CREATE VIEW "+m[1] {
					own[v[0]] = true
				}
			}
		}
	}
	return own, nil
}
