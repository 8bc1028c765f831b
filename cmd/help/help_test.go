package help

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
)

// tree is a command with two below it.
func tree(width int, out io.Writer) *cobra.Command {
	root := &cobra.Command{Use: "tool", Short: "Does things", Annotations: map[string]string{After: "Exit codes: 0 done, 1 it failed, 2 usage."}}
	root.PersistentFlags().BoolP("help", "h", false, "print the help of the command")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(out)
	work := &cobra.Command{
		Use: "work THING", Short: "Work on a thing", Aliases: []string{"hidden"}, Example: "  tool work hard",
		Long: "Works on a thing, which\nis a rather long story that no line of a narrow terminal can hold.\n\n  indented   text\n\nThe end.",
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	f := work.Flags()
	f.StringP("file", "f", "", "the `FILE` to work on")
	f.Int("number", 3, "so many")
	f.Duration("wait", 0, "at most so long")
	f.Lookup("wait").NoOptDefVal = "30s"
	f.String("secret", "", "nobody knows")
	_ = f.MarkHidden("secret")
	root.AddGroup(&cobra.Group{ID: "g", Title: "Every day"})
	work.GroupID = "g"
	root.AddCommand(work, &cobra.Command{Use: "other", Short: "Something else", Run: func(*cobra.Command, []string) {}})
	Install(root, func(io.Writer) int { return width }, func(heading string) string { return heading })
	return root
}

func TestHelp(t *testing.T) {
	for _, x := range []struct {
		width int
		args  []string
		want  []string
	}{
		{0, []string{"work", "-h"}, []string{
			"Works on a thing, which\nis a rather long story that no line of a narrow terminal can hold.\n\n  indented   text\n\nThe end.\n",
			"\nUsage:\n  tool work THING [flags]\n", "\nExamples:\n  tool work hard\n",
			"\nFlags:\n  -f, --file FILE   the FILE to work on\n      --number N    so many (default 3)\n      --wait[=30s]  at most so long\n",
		}},
		{40, []string{"work", "-h"}, []string{
			"Works on a thing, which is a rather long\nstory that no line of a narrow terminal\ncan hold.\n\n  indented   text\n", "  -f, --file FILE\n      the FILE to work on\n",
		}},
		{80, []string{"-h"}, []string{
			"Does things.\n", "\nEvery day:\n  work   Work on a thing\n", "\nMore:\n  other  Something else\n",
			"\nFlags of every command:\n  -h, --help  print", "\nExit codes: 0 done",
		}},
	} {
		var b strings.Builder
		root := tree(x.width, &b)
		root.SetArgs(x.args)
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		for _, want := range x.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%d cells, %s: no %q in\n%s", x.width, x.args, want, b.String())
			}
		}
		for line := range strings.Lines(b.String()) {
			if n := runewidth.StringWidth(strings.TrimRight(line, "\n")); x.width > 0 && n > x.width {
				t.Errorf("%d cells: a line has %d: %q", x.width, n, line)
			}
		}
		if strings.Contains(b.String(), "hidden") || strings.Contains(b.String(), "secret") {
			t.Errorf("what is hidden is in\n%s", b.String())
		}
	}
}

func TestWrongFlags(t *testing.T) {
	for arg, want := range map[string]string{
		"--numbr=1": "unknown flag: --numbr; did you mean --number?", "--secre=1": "unknown flag: --secre", "-x": "unknown flag: -x", "--file": "--file needs a value",
		"--number=x": `--number "x": write a whole number`, "--wait=x": `--wait "x": write a duration, such as ` + (30 * time.Second).String() + ", 10m or 2h30m",
	} {
		root := tree(0, io.Discard)
		root.SetArgs([]string{"work", arg})
		if err := root.Execute(); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
}
