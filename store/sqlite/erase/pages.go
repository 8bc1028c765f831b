package erase

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"evrun/store/sqlite/conn"
)

// The bounds of a transaction, and how many times as long as it took the next one waits.
const (
	holdFor    = 4 * time.Millisecond
	restFactor = 4
)

// mostPages is how many pages a file can have so that the first byte of a page of a value, which begins with the number of the next one, is no kind of page of
// a tree.
const mostPages = indexInterior << 24

var errTooLarge = errors.New("it has 128 GiB or more, too much to tell its pages apart: stop evrun, and VACUUM it with sqlite3")

// Pages writes zeros over the unused parts of all pages of the database at path but the first, which has the schema. It has a connection of its own,
// since that of the writer is in SQLite's defensive mode, and its transactions leave room for those of others.
//
// It begins with the last page. The other way round, a page that is moved to the front meanwhile, to shorten the file, could be missed. The shape of
// pages is documented as SQLite's file format, which does not change.
func Pages(ctx context.Context, path string) (err error) {
	c, err := conn.Open(conn.Pages(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for before := int64(0); before != 1; {
		began := time.Now()
		if before, err = some(c, before); err != nil {
			return err
		}
		rest := time.NewTimer(restFactor * time.Since(began))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// some does the pages before a number (0: of all) while there is time, and returns where the next ones end; 1: that was all.
func some(c *conn.Conn, before int64) (_ int64, err error) {
	if err := c.Exec(`BEGIN IMMEDIATE`); err != nil {
		return before, err
	}
	defer func() {
		end := `COMMIT`
		if err != nil {
			end = `ROLLBACK`
		}
		err = errors.Join(err, c.Exec(end))
	}()
	p := pages{w: c.Prepared}
	if err := p.read(); err != nil {
		return before, err
	}
	if p.count >= mostPages {
		return before, errTooLarge
	}
	if before == 0 || before > p.count {
		before = p.count + 1
	}
	for began := time.Now(); before > 2 && time.Since(began) < holdFor; {
		before--
		if err := p.scrub(before); err != nil {
			return before, err
		}
	}
	if before <= 2 {
		return 1, nil
	}
	return before, nil
}

// pages is the file as a transaction sees it.
type pages struct {
	w      conn.Prepare
	count  int64
	size   int            // of a page
	usable int            // of it: SQLite may reserve bytes at the end
	vacuum bool           // there are pointer maps
	free   map[int64]bool // pages that are not in use; true: it has nothing to keep
	trunks map[int64]int  // the other ones, with the length of what they have to keep
}

// read reads the file's header and its list of free pages.
func (p *pages) read() error {
	first, err := p.page(1)
	if err != nil || first == nil {
		return err
	}
	if p.size = int(binary.BigEndian.Uint16(first[16:])); p.size == 1 {
		p.size = 1 << 16
	}
	p.usable = p.size - int(first[20])
	p.vacuum = binary.BigEndian.Uint32(first[52:]) != 0
	if p.count, err = p.w.Number(`PRAGMA page_count`); err != nil {
		return err
	}
	p.free, p.trunks = map[int64]bool{}, map[int64]int{}
	for next := int64(binary.BigEndian.Uint32(first[32:])); next != 0 && p.trunks[next] == 0; {
		trunk, err := p.page(next)
		if err != nil || trunk == nil {
			return err
		}
		n := int(binary.BigEndian.Uint32(trunk[4:]))
		p.trunks[next] = 8 + 4*n
		for i := range min(n, p.usable/4-2) {
			p.free[int64(binary.BigEndian.Uint32(trunk[8+4*i:]))] = true
		}
		next = int64(binary.BigEndian.Uint32(trunk))
	}
	return nil
}

// page reads a page; nil: there is none.
func (p *pages) page(number int64) ([]byte, error) {
	var row [1]driver.Value
	if err := p.w.QueryRow(row[:], `SELECT data FROM sqlite_dbpage WHERE pgno = ?`, number); conn.NoRows(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	data, _ := row[0].([]byte)
	if p.size != 0 && len(data) != p.size {
		return nil, nil
	}
	return slices.Clone(data), nil
}

// scrub writes zeros over the unused part of a page.
func (p *pages) scrub(number int64) error {
	data, err := p.page(number)
	if err != nil || data == nil || p.special(number) {
		return err
	}
	was := slices.Clone(data)
	switch keep, trunk := p.trunks[number]; {
	case p.free[number]:
		clear(data)
	case trunk:
		clear(data[min(keep, len(data)):])
	case isTree(data[0]): // the first bytes of all others are the number of a page, which is below mostPages
		if err := p.tree(data); err != nil {
			return err
		}
	}
	return p.write(number, was, data)
}

func (p *pages) write(number int64, was, data []byte) error {
	if bytes.Equal(was, data) {
		return nil
	}
	_, err := p.w.Exec(`UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1`, number, data)
	return err
}

// special reports whether a page is one that only SQLite uses: a pointer map, or that of the locks.
func (p *pages) special(number int64) bool {
	if number == 1<<30/int64(p.size)+1 {
		return true
	}
	return p.vacuum && (number-2)%(int64(p.usable)/5+1) == 0
}

// The kinds of pages of a tree.
const (
	indexInterior = 2
	tableInterior = 5
	indexLeaf     = 10
	tableLeaf     = 13
)

func isTree(kind byte) bool {
	return kind == indexInterior || kind == tableInterior || kind == indexLeaf || kind == tableLeaf
}

// tree clears the unused parts of a page of a tree, and of the last pages of values that go on elsewhere. A page that is not as it should be stays as it is.
func (p *pages) tree(data []byte) error {
	at := func(i int) int { return int(binary.BigEndian.Uint16(data[i:])) }
	head, n, content := 8, at(3), at(5)
	if data[0] == indexInterior || data[0] == tableInterior {
		head = 12
	}
	if content == 0 {
		content = 1 << 16
	}
	pointers := head + 2*n
	if pointers > content || content > p.usable {
		return nil
	}
	for block, size := at(1), 0; block != 0; block = at(block) {
		if block < content || block+4 > p.usable {
			return nil
		}
		if size = at(block + 2); size < 4 || block+size > p.usable || at(block) != 0 && at(block) < block+size {
			return nil
		}
		clear(data[block+4 : block+size])
	}
	clear(data[pointers:content])
	for i := range n {
		if err := p.cell(data, at(head+2*i)); err != nil {
			return err
		}
	}
	return nil
}

// cell clears the unused part of the last page of a cell's value, if that goes on on other pages.
func (p *pages) cell(data []byte, at int) error {
	kind := data[0]
	if kind == tableInterior || at+8 > p.usable {
		return nil
	}
	if kind == indexInterior {
		at += 4
	}
	size, n := varint(data[at:])
	at += n
	u := p.usable
	most, least := (u-12)*64/255-23, (u-12)*32/255-23
	if kind == tableLeaf {
		_, n := varint(data[at:]) // the rowid
		at += n
		most = u - 35
	}
	if size <= uint64(most) || size > 1<<31 {
		return nil
	}
	local := least + (int(size)-least)%(u-4)
	if local > most {
		local = least
	}
	if at+local+4 > u {
		return nil
	}
	next, rest := int64(binary.BigEndian.Uint32(data[at+local:])), int(size)-local
	for {
		page, err := p.page(next)
		if err != nil || page == nil || next < 2 {
			return err
		}
		if rest > u-4 {
			next, rest = int64(binary.BigEndian.Uint32(page)), rest-(u-4)
			continue
		}
		was := slices.Clone(page)
		clear(page[4+rest : u])
		return p.write(next, was, page)
	}
}

// varint reads a number of SQLite's file format, and returns its length.
func varint(data []byte) (v uint64, n int) {
	for n < len(data) {
		c := data[n]
		if n++; n == 9 {
			return v<<8 | uint64(c), n
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			break
		}
	}
	return v, n
}
