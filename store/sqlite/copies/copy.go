// Package copies copies, checks and prepares the files of stores: what a backup and its restore need below package sqlite. It has no goroutine.
package copies

import (
	"errors"
	"fmt"

	driverpkg "modernc.org/sqlite"

	"evrun/store/sqlite/conn"
)

// Copy copies a database to a file, some pages at a time, on the connection of its source: its methods must be called while nothing else
// uses that. What the connection commits between two steps is in the copy, too. After a rollback, and after a commit of another connection, the
// copy begins again from the first page.
type Copy struct {
	b        *driverpkg.Backup
	pages    int // copied, as of the last step
	all      int
	restarts int
}

// StepPages is how many pages a step on a connection that is needed for other things copies: a millisecond's worth.
const StepPages = 64

// Begin begins a copy of the database of c to an empty file at path, which exists.
func Begin(c *conn.Conn, path string) (*Copy, error) {
	source, ok := c.Raw().(interface {
		NewBackup(uri string) (*driverpkg.Backup, error)
	})
	if !ok {
		return nil, errors.New("the driver makes no backups")
	}
	b, err := source.NewBackup(conn.Target(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, conn.Translate(err))
	}
	return &Copy{b: b}, nil
}

// Step copies up to n pages.
func (c *Copy) Step(n int32) (more bool, err error) {
	if more, err = c.b.Step(n); err != nil {
		return false, conn.Translate(err)
	}
	before := c.pages
	c.all = c.b.PageCount()
	c.pages = c.all - c.b.Remaining()
	if c.pages <= before { // each step copies a page, unless it begins again
		c.restarts++
	}
	return more, nil
}

// Size is how much is copied, and how much there is, in bytes.
func (c *Copy) Size() (done, all int64) { return int64(c.pages) * pageSize, int64(c.all) * pageSize }

// pageSize is that of all stores.
const pageSize = 4096

// Restarts is how often the copy has begun again.
func (c *Copy) Restarts() int { return c.restarts }

// End ends the copy, whether or not it is complete.
func (c *Copy) End() error { return conn.Translate(c.b.Finish()) }
