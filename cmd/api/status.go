package api

import (
	"context"
	"net/http"
	"time"

	"evrun/tasks"
)

// Status is what GET /v1/status answers.
type Status struct {
	Version   string    `json:"version"`
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	Config    string    `json:"config"`
	LoadedAt  time.Time `json:"loaded_at"`        // when the wiring that runs was read
	Reload    *Reloaded `json:"reload,omitempty"` // the last one that changed something or was refused
	Store     string    `json:"store"`
	StoreSize int64     `json:"store_bytes"` // with what is not in the main file yet
	WAL       WAL       `json:"wal"`
	Socket    string    `json:"socket"`
	Head      int64     `json:"head,string"` // the last sequence of the journal

	Handlers  []tasks.HandlerStatus `json:"handlers"`
	Schedules []Schedule            `json:"schedules"`
}

// WAL is how the store's write-ahead log is.
type WAL struct {
	Bytes   int64    `json:"bytes"`
	Max     int64    `json:"max"`
	Held    bool     `json:"held,omitempty"`    // somebody reads the store for so long that it can't be given back
	Full    bool     `json:"full,omitempty"`    // it is at its bound: nothing is accepted
	Holders []string `json:"holders,omitempty"` // who may hold it
}

// Status asks for the daemon's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return request[Status](ctx, c, http.MethodGet, "/v1/status", body{})
}
