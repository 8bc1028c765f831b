package daemon

import (
	"context"

	"evrun/cmd/api"
	"evrun/cmd/api/shape"
	"evrun/cmd/config"
	"evrun/cmd/doctor"
)

// examine has the daemon look at its own file, store and machine, in moments: it does not read the whole store.
func (d *Daemon) examine(ctx context.Context) ([]shape.CheckResult, error) {
	return doctor.Examine(ctx, doctor.Options{
		Load: d.o.Load, Settings: func() (*config.Config, error) { return d.cfg, nil }, Version: d.o.Version, Quick: true,
		Status: func(ctx context.Context, _ *config.Config) (api.Status, error) { return d.status(ctx) },
	})
}
