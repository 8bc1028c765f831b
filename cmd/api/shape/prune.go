package shape

import (
	"evrun/tasks/retention"
)

// Pruned is what POST /v1/prune did or, for a dry run, would do.
type Pruned struct {
	DryRun bool `json:"dry_run,omitempty"`
	retention.Report
	Space retention.Space `json:"space"` // afterwards
}
