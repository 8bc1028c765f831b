package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/events"
)

// schemaFile is the JSON Schema that init writes beside a wiring file, for editors.
const schemaFile = "evrun.schema.json"

// newInitCmd makes the command that writes example.
func newInitCmd(e *cli.Env, example []byte) *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIRECTORY]",
		Short: "Write a first wiring file: the demo",
		Long: `Writes evrun.yaml, or the file that -c names: the demo, with an explanation of each key. Beside it comes ` + schemaFile + `, and the
first line of the wiring file points editors at it, so that they complete and check while you type ("evrun schema" prints
it anew after an update). Files that already exist are not changed.`,
		Example: `  evrun init
  evrun init /srv/jobs
  evrun init -c /etc/evrun/jobs.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usage("init takes one directory, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			path := e.Config
			if len(args) == 1 {
				if c.Flags().Changed("config") {
					return cli.Usage("init takes a directory or --config, not both")
				}
				path = filepath.Join(args[0], "evrun.yaml")
			}
			return runInit(e, path, example)
		},
	}
}

func runInit(e *cli.Env, path string, example []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a directory as mkdir makes it; the store's own files are the user's alone
		return err
	}
	wiring := append([]byte("# yaml-language-server: $schema="+schemaFile+"\n\n"), example...)
	err := create(path, wiring)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s already exists, and was left as it is; name another file with -c, or another directory", events.EscapeControl(path))
	}
	if err != nil {
		return err
	}
	var schema bytes.Buffer
	if err := cli.WriteSchema(&schema, "2020-12"); err != nil {
		return err
	}
	beside := filepath.Join(filepath.Dir(path), schemaFile)
	switch err := create(beside, schema.Bytes()); {
	case errors.Is(err, fs.ErrExist):
		e.Note("%s already exists, and was left as it is", events.EscapeControl(beside))
	case err != nil:
		return err
	}
	if e.JSON() {
		return e.PrintJSON(map[string]any{"written": map[string]any{"config": path, "schema": beside}})
	}
	flag := ""
	if path != "evrun.yaml" {
		flag = " -c " + shellWord(path)
	}
	_, err = fmt.Fprintf(e.Out, `%s is written. Next:
  evrun serve%[2]s    runs it; then, in another terminal:
  evrun tail%[2]s     shows what happens
  evrun emit%[2]s user.registered -f name=Ada -f email=ada@example.com --wait
`, events.EscapeControl(path), flag)
	return err
}

// shellWord quotes a path for a shell, so that a terminal can show it.
func shellWord(path string) string {
	if plainWord().MatchString(path) {
		return path
	}
	if events.EscapeControl(path) != path { // bash and others: the bytes, in octal
		var b strings.Builder
		for i := range len(path) {
			if c := path[i]; c >= ' ' && c < 0x7f && c != '\'' && c != '\\' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		}
		return "$'" + b.String() + "'"
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

var plainWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`) })

// create writes a new file; one that exists is fs.ErrExist.
func create(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // for a team to read; secrets come by env() and file()
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
