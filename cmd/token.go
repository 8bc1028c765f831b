package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"evrun/cmd/api"
	"evrun/cmd/api/access"
	"evrun/cmd/api/client"
	"evrun/cmd/cli"
	"evrun/cmd/output"
	"evrun/tasks/fields"
)

func newTokenCmd(e *cli.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens, which programs need for the TCP port",
		Long: `Requests to the TCP port (server.listen) need a token, as the header "Authorization: Bearer TOKEN"; only hooks, /healthz and /readyz need none.
The owner's is in a file beside the store with its name (evrun.token for evrun.db), or beside the socket where daemons share a PostgreSQL store. The first
start with a TCP port makes it, and it allows everything. Others are made here, or in the wiring file under server.tokens.

Rights: read sees what is stored; operate also steps in (retry, cancel, pause, replay, …); admin does everything, also erase, prune and make tokens; emit publishes
events, and "emit github.>" those of a pattern. On the socket nobody needs a token: its mode decides who may connect.`,
		Example: `  evrun token create ci --right "emit github.>" --expires 90d
  evrun token list
  evrun token revoke ci`,
	}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens: the owner's, those of the wiring file, and those that were made by command",
		Example: "  evrun token list",
		Args:    cli.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runTokenList(c.Context(), e) },
	}
	revoke := &cobra.Command{
		Use:   "revoke NAME...",
		Short: "Revoke tokens that were made by command",
		Long: `Revokes tokens that were made by "evrun token create". Requests that they began, streams too, end at once. A token of the wiring file is revoked by removing it there,
and the owner's by removing its file and "evrun reload", which makes another.`,
		Example:           "  evrun token revoke ci",
		Args:              cli.NamesOf("token", 0),
		ValidArgsFunction: e.CompleteTokens,
		RunE:              func(c *cobra.Command, names []string) error { return runTokenRevoke(c.Context(), e, names) },
	}
	return cli.Group(c, newTokenCreateCmd(e), list, revoke)
}

func runTokenList(ctx context.Context, e *cli.Env) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	var all []api.Token
	alone, err := e.Ask(ctx, cfg, cli.ListsTokens, func(c *client.Client) (err error) {
		all, err = c.Tokens(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if alone && cfg.Settings.Server.Listen != "" { // a daemon would have read the owner's
		if wrong := access.CheckOwner(access.OwnerPath(cfg.Settings.Own())); wrong != "" {
			e.Note("the owner's token is not listed: %s", wrong)
		} else {
			all = slices.Insert(all, 0, api.Token{Name: access.OwnerName, Source: string(access.Owner), Rights: []string{string(access.Admin)}})
		}
	}
	return cli.List(e, output.Tokens(), all, "no tokens")
}

func runTokenRevoke(ctx context.Context, e *cli.Env, names []string) error {
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	return e.Each("tokens", names, func(name string) error {
		var done api.RevokedToken
		_, err := e.Ask(ctx, cfg, cli.ChangesTokens, func(c *client.Client) (err error) {
			done, err = c.RevokeToken(ctx, name)
			return err
		})
		switch {
		case err != nil:
			return err
		case e.JSON():
			return e.PrintJSON(done)
		}
		_, err = fmt.Fprintf(e.Out, "%s revoked\n", name)
		return err
	})
}

// createOptions are what token create makes.
type createOptions struct {
	rights        []string
	expires, rate string
	hash          bool
}

func newTokenCreateCmd(e *cli.Env) *cobra.Command {
	o := &createOptions{}
	c := &cobra.Command{
		Use:   "create NAME --right RIGHT...",
		Short: "Make a token, and print it once",
		Long: `Makes a token and prints it. It is shown this once: only its hash is stored. It can be used at once, and until it is revoked or expires.

NAME stands in the audit trail beside what was done with the token. With --hash nothing is stored: the token is printed with the lines for server.tokens in the
wiring file, which take effect with its next reload.`,
		Example: `  evrun token create ci --right "emit github.>" --rate 100/s --expires 90d
  evrun token create prometheus --right read
  evrun token create deploy --right read --right "emit deploy.*" --hash`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage("token create takes one name for the token, such as ci")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return runTokenCreate(c.Context(), e, args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.rights, "right", nil, "what it allows: read, operate, admin, emit, or emit and a pattern; can be given several times")
	f.StringVar(&o.expires, "expires", "", "when it ends: 90d (from now), 2027-01-31 (default: never)")
	f.StringVar(&o.rate, "rate", "", "how many events it publishes at most: 100/s, 5/m (default: no limit)")
	f.BoolVar(&o.hash, "hash", false, "store nothing, and print the lines for the wiring file")
	cli.CompleteFlag(c, "right", string(access.Read), string(access.Operate), string(access.Admin), string(access.Emit))
	return c
}

// request checks the flags.
func (o *createOptions) request(name string, now time.Time) (ask api.TokenRequest, err error) {
	ask = api.TokenRequest{Name: name, Rights: o.rights, Rate: o.rate}
	if f := access.CheckName(name); f != nil {
		return ask, cli.Usage("%v", f)
	}
	if len(o.rights) == 0 {
		return ask, cli.Usage("which --right? read, operate, admin, emit, or emit and a pattern such as \"emit github.>\"")
	}
	rights, f := access.ParseRights(o.rights)
	if f != nil {
		f.Path = nil
		return ask, cli.Usage("--right: %v", f)
	}
	ask.Rights = rights.Texts()
	if o.rate != "" {
		if _, f := access.ParseRate(o.rate); f != nil {
			return ask, cli.Usage("--rate: %v", f)
		}
	}
	if o.expires != "" {
		text := o.expires
		if _, wrong := fields.ParseDuration(text); wrong == nil { // a duration is from now on
			text = "+" + text
		}
		until, err := cli.ParseTime("--expires", text, time.Local, now)
		if err != nil {
			return ask, cli.Usage("--expires %q: write how long, such as 90d, or a time, such as 2027-01-31", o.expires)
		}
		if until = until.UTC().Truncate(time.Second); !now.Before(until) {
			return ask, cli.Usage("--expires %q: this time has passed; write how long, such as 90d, or a later time", o.expires)
		}
		ask.Until = &until
	}
	return ask, nil
}

func runTokenCreate(ctx context.Context, e *cli.Env, name string, o *createOptions) error {
	ask, err := o.request(name, time.Now())
	if err != nil {
		return err
	}
	if o.hash {
		return printTokenForFile(e, ask)
	}
	cfg, err := e.Settings()
	if err != nil {
		return err
	}
	var made api.NewToken
	_, err = e.Ask(ctx, cfg, cli.ChangesTokens, func(c *client.Client) (err error) {
		made, err = c.CreateToken(ctx, ask)
		return err
	})
	if err != nil {
		return err
	}
	if cfg.Settings.Server.Listen == "" {
		e.Note("the daemon has no TCP port yet: set server.listen, such as 127.0.0.1:7770")
	}
	if e.JSON() {
		return e.PrintJSON(made)
	}
	until := ""
	if made.Until != nil {
		until = " until " + made.Until.Local().Format("2006-01-02 15:04")
	}
	e.Note("token %s may %s%s; it is shown this once", made.Name, strings.Join(made.Rights, ", "), until)
	_, err = fmt.Fprintln(e.Out, made.Secret)
	return err
}

// printTokenForFile prints a new token, and its lines for the wiring file.
func printTokenForFile(e *cli.Env, ask api.TokenRequest) error {
	secret := access.NewSecret()
	hash := access.HashOf(secret).String()
	if e.JSON() {
		return e.PrintJSON(map[string]any{"name": ask.Name, "token": secret, "hash": hash, "rights": ask.Rights})
	}
	quoted := make([]string, len(ask.Rights))
	for i, r := range ask.Rights {
		quoted[i] = r
		if strings.ContainsAny(r, "*>") {
			quoted[i] = `"` + r + `"`
		}
	}
	lines := []string{"- name: " + ask.Name, "  hash: " + hash, "  rights: [" + strings.Join(quoted, ", ") + "]"}
	if ask.Until != nil {
		lines = append(lines, "  expires: "+ask.Until.Format(time.RFC3339))
	}
	if ask.Rate != "" {
		lines = append(lines, "  rate: "+ask.Rate)
	}
	e.Note("the token is shown this once; the lines below it belong under server.tokens in the wiring file, and the token does not")
	_, err := fmt.Fprintln(e.Out, secret+"\n\n"+strings.Join(lines, "\n"))
	return err
}
