package sqlitetest

import (
	"testing"

	"evrun/store/sqlite/conn"
)

// CheckBlocks checks the table blocks of the store at path against all of its events and runs: where a block is not named, there is nothing.
func CheckBlocks(t testing.TB, path string) {
	t.Helper()
	c, err := conn.Open(conn.Reader(path))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for what, query := range map[string]string{
		"type of event": `SELECT sequence AS a, type AS b FROM events e
			WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE what IN ('t:', 't:' || e.type) AND block = e.sequence >> 10)`,
		"source of event": `SELECT sequence AS a, source AS b FROM events e
			WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE what IN ('s:', 's:' || e.source) AND block = e.sequence >> 10)`,
		"runs of handler": `SELECT handler AS a, sequence || ' in state ' || state AS b FROM runs r
			WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE what = 'r:' || r.handler || ':' || CASE state WHEN 3 THEN 3 WHEN 4 THEN 4 ELSE 0 END
				AND block = r.sequence >> 10)`,
	} {
		missing, err := c.Pairs(`SELECT CAST(a AS TEXT), CAST(b AS TEXT) FROM (` + query + `) LIMIT 5`)
		if err != nil {
			t.Error(err)
		}
		for _, m := range missing {
			t.Errorf("blocks: %s %s (%s) is not noted", what, m[0], m[1])
		}
	}
}
