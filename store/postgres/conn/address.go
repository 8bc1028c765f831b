package conn

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The most connections that a daemon opens, by what they are for.
const (
	Changes    = 3           // other writes than those of events and runs
	Writers    = 4 + Changes // events, runs, statements of users, and those that may take long
	UserReads  = 2           // statements of users that only read
	Reads      = 4           // queries of the store, unless the address has pool_max_conns
	Upkeep     = 4           // pruning, and small questions of the store's own
	Peers      = 8           // beats and notifications keep one each, shares and takeovers need two, looks one
	listening  = 1
	PeersReads = 4 // what other daemons have changed
)

// PerDaemon is how many connections a daemon may have open when it is busy, with so many for queries.
func PerDaemon(reads int32) int {
	return Writers + UserReads + int(reads) + Upkeep + Peers + listening + PeersReads
}

// ParsePool reads the address of a store. The config's MaxConns is the number of connections for queries.
func ParsePool(address string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	given, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, err
	}
	if _, ok := given.RuntimeParams["pool_max_conns"]; !ok {
		config.MaxConns = Reads // and not a number that depends on the machine
	}
	Prepare(config.ConnConfig)
	return config, nil
}

// Parse reads the address of a store for a single connection: what it has for pools is left out.
func Parse(address string) (*pgx.ConnConfig, error) {
	config, err := ParsePool(address)
	if err != nil {
		return nil, err
	}
	return config.ConnConfig, nil
}
