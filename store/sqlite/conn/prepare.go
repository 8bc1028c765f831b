package conn

import "database/sql/driver"

// Prepared returns a statement that is kept, compiled at its first use.
func (c *Conn) Prepared(query string) (*Stmt, error) {
	if st, ok := c.prepared[query]; ok {
		return st, nil
	}
	st, err := c.Prepare(query)
	if err == nil {
		c.prepared[query] = st
	}
	return st, err
}

// Prepare is [Conn.Prepared] of a connection that its user knows nothing else of.
type Prepare func(query string) (*Stmt, error)

// Exec runs a statement, and returns how many rows it changed.
func (p Prepare) Exec(query string, values ...driver.Value) (int64, error) {
	st, err := p(query)
	if err != nil {
		return 0, err
	}
	return st.Exec(values...)
}

// QueryRow reads the first row of a query, see [Stmt.QueryRow].
func (p Prepare) QueryRow(dest []driver.Value, query string, values ...driver.Value) error {
	st, err := p(query)
	if err != nil {
		return err
	}
	return st.QueryRow(dest, values...)
}

// Number reads the number in the first row of a query; NULL is 0.
func (p Prepare) Number(query string, values ...driver.Value) (int64, error) {
	var row [1]driver.Value
	err := p.QueryRow(row[:], query, values...)
	n, _ := row[0].(int64)
	return n, err
}
