package daemon

import (
	"context"

	"evrun/cmd/api/access"
	"evrun/cmd/config"
)

// useTokens has the tokens of a wiring file take effect, and the owner's, whose file it makes if there is none. Without a TCP port nobody needs the
// owner's. The requests of tokens that are gone end.
func (d *Daemon) useTokens(cfg *config.Config) error {
	d.tokens.Set(access.File, cfg.Wiring.Tokens)
	if d.tcp == nil {
		return nil
	}
	path := access.OwnerPath(cfg.Settings.Own())
	owner, made, err := access.OwnerToken(path)
	if err != nil {
		return err
	}
	if made.New {
		d.log.Info("made a token for the owner, which allows everything by TCP", "file", path)
	}
	if made.Note != "" {
		d.log.Warn(made.Note)
	}
	d.tokens.Set(access.Owner, []access.Token{owner})
	d.tokens.Sessions().SetKey(made.Key)
	return nil
}

// loadTokens has all tokens take effect at the start.
func (d *Daemon) loadTokens(ctx context.Context) error {
	if err := d.useTokens(d.cfg); err != nil {
		return err
	}
	return d.server.LoadTokens(ctx)
}
