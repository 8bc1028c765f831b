package reads

import (
	"fmt"
	"time"

	"evrun/store"
	"evrun/store/postgres/conn"
)

// readTimeout is how long one query may take.
const readTimeout = 5 * time.Second

var errReadTimeout = fmt.Errorf("%w: a read of evrun's own is ended after %v", store.ErrTimeout, readTimeout)

// explain names the time limit where it ended a query.
func explain(err error) error {
	if conn.Code(err) == conn.QueryCanceled {
		return errReadTimeout
	}
	return err
}
