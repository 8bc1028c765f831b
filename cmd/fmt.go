package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"evrun/cmd/cli"
	"evrun/cmd/config"
	"evrun/cmd/format"
	"evrun/store/files"
	"evrun/tasks/fault"
	"evrun/tasks/payload"
)

// formatting is what fmt does with the files.
type formatting struct{ check, diff bool }

func newFmtCmd(e *cli.Env) *cobra.Command {
	var o formatting
	c := &cobra.Command{
		Use:   "fmt [FILE…]",
		Short: "Lay out wiring files in one way",
		Long: `Lays out wiring files in one way: indentation by two spaces, one space after a colon, a comma and a dash, at most one blank line in a
row, comments in their columns. Names each file that it changes. Without a FILE it takes the wiring file and the files that it includes.
With - in place of FILE it reads a text from stdin and prints it formatted.

Only blanks and line ends change: quotes, comments, anchors, the order of keys and the line breaks in [ ] and { } stay as you wrote them, and
the texts below | and > keep their bytes. So a reload after it changes nothing.

--check changes no file: it lists those that are not formatted, and ends with exit code 1 if there are any. --diff prints what would
change. An error in the YAML of one file leaves all of them as they are (exit 78).`,
		Example: `  evrun fmt
  evrun fmt --check evrun.yaml conf.d/*.yaml
  evrun fmt --diff
  evrun fmt - <evrun.yaml`,
		ValidArgsFunction: cli.CompleteFile,
		RunE:              func(_ *cobra.Command, args []string) error { return runFmt(e, o, args) },
	}
	c.Flags().BoolVar(&o.check, "check", false, "list the files that are not formatted, change none, and exit 1 if there are any")
	c.Flags().BoolVar(&o.diff, "diff", false, "print what would change, and change no file")
	return c
}

func runFmt(e *cli.Env, o formatting, paths []string) error {
	if len(paths) == 0 {
		paths = append([]string{e.Config}, included(e)...)
	} else if e.Command.Flags().Changed("config") {
		return cli.Usage("fmt takes wiring files as arguments or with --config, not both")
	}
	var texts []formatted
	for _, path := range paths {
		if path == "-" && len(paths) > 1 {
			return cli.Usage("fmt takes - alone")
		}
		t, err := formatOne(e, path)
		if err != nil {
			return err
		}
		texts = append(texts, t)
	}
	differ := 0
	for _, t := range texts {
		if t.now != t.was {
			differ++
		}
		if err := o.settle(e, t); err != nil {
			return err
		}
	}
	if o.check && differ > 0 {
		return &cli.ExitError{Code: cli.ExitFailed, Err: fmt.Errorf("%s not formatted: \"evrun fmt\" does it", fault.Plural(differ, "file"))}
	}
	return nil
}

// included are the files that the wiring file includes, by their paths from here.
func included(e *cli.Env) (paths []string) {
	cfg, err := e.Load()
	if err != nil {
		if _, bad := formatOne(e, e.Config); bad == nil {
			e.Note("%s has errors (evrun validate): files that it includes are left as they are, unless they are named", e.Config)
		}
		return nil
	}
	here, err := os.Getwd()
	for _, path := range cfg.Included {
		if from, ferr := filepath.Rel(here, path); err == nil && ferr == nil && filepath.IsLocal(from) {
			path = from
		}
		paths = append(paths, path)
	}
	return paths
}

// formatted is a text before and after.
type formatted struct{ path, was, now string }

func formatOne(e *cli.Env, path string) (formatted, error) {
	var src []byte
	var err error
	name := path
	if path == "-" {
		name = "stdin"
		src, err = io.ReadAll(e.In)
	} else {
		src, err = config.Text(path, config.Options{})
	}
	if err != nil {
		return formatted{}, err
	}
	if err := config.CheckSyntax(name, src); err != nil {
		return formatted{}, err
	}
	now, err := format.Text(string(src))
	if err != nil {
		return formatted{}, fmt.Errorf("%s: %w", name, err)
	}
	return formatted{path, string(src), now}, nil
}

// settle writes a text, or says what would be written.
func (o formatting) settle(e *cli.Env, t formatted) error {
	differs := t.was != t.now
	if differs && o.diff && !e.JSON() {
		if err := e.Printer().Diff(t.path, payload.DiffTexts(t.was, t.now, 2)); err != nil {
			return err
		}
	}
	stays := o.check || o.diff
	switch {
	case t.path == "-" && e.JSON():
		return e.PrintJSON(map[string]any{"file": map[string]any{"path": t.path, "differs": differs, "written": false, "text": t.now}})
	case t.path == "-" && !stays:
		_, err := io.WriteString(e.Out, t.now)
		return err
	case differs && !stays:
		if err := files.Rewrite(t.path, []byte(t.now)); err != nil {
			return err
		}
	}
	switch {
	case e.JSON():
		return e.PrintJSON(map[string]any{"file": map[string]any{"path": t.path, "differs": differs, "written": differs && !stays}})
	case differs && !o.diff:
		_, err := fmt.Fprintln(e.Out, t.path)
		return err
	}
	return nil
}
