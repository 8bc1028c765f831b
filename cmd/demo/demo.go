// Package demo shows what evrun does, step by step, with a real daemon in a directory of its own: the work of `evrun demo`. Each step says what comes,
// then the command, as a reader would type it, and runs it: commands are processes of this same program, and print what they always print.
//
// [Run] owns the daemon's process and the directory. It ends the one and removes the other however it ends, unless it is killed itself.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"evrun/cmd/cli"
	"evrun/cmd/output"
)

// Options say how the demo is shown.
type Options struct {
	Keep  bool          // the directory stays
	Pause time.Duration // on a terminal, how long a step can be read before the next one
}

// many is how many events the daemon has to do when it is killed.
const many = 500

//go:embed evrun.yaml
var wiring []byte

// demo is a running demo.
type demo struct {
	*cli.Env
	Options
	dir    string
	width  int // of the terminal; 0: not on one
	steps  int // that were shown
	daemon *daemon
}

// Run shows all steps. When ctx ends it stops with ctx's error.
func Run(ctx context.Context, e *cli.Env, o Options) (err error) {
	ctx, release := signal.NotifyContext(ctx, syscall.SIGHUP) // a closed terminal must not leave a daemon and a directory behind
	defer release()
	d := &demo{Env: e, Options: o}
	d.width, _ = cli.Width(e.Out)
	if d.dir, err = os.MkdirTemp("", "evrun-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end()) }()
	err = os.WriteFile(filepath.Join(d.dir, "evrun.yaml"), wiring, 0o600)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		d.showFile, d.start, d.emit, d.fail, d.retry, d.kill, d.recover, d.stop,
	} {
		if err = step(ctx); err == nil {
			err = d.pause(ctx)
		}
		if ctx.Err() != nil {
			return context.Canceled
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end ends the daemon and removes the directory.
func (d *demo) end() error {
	err := d.daemon.end()
	switch {
	case d.Keep && d.JSON():
		return errors.Join(err, d.PrintJSON(map[string]any{"kept": d.dir}))
	case d.Keep:
		return errors.Join(err, d.print("\nEverything is in "+d.dir+"; to go on there:\n  cd "+d.dir+" && evrun serve\n"))
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

func (d *demo) showFile(ctx context.Context) error {
	if err := d.say("A wiring file says which handlers run on which events. This one stores users, and runs a command that welcomes them; the command fails while a file named down exists.",
		"cd "+d.dir, "cat evrun.yaml"); err != nil || d.JSON() {
		return err
	}
	return d.print(string(wiring))
}

func (d *demo) start(ctx context.Context) (err error) {
	if err := d.say("The daemon runs the file. Here it is in the background, and its log in a file.", "evrun serve >>daemon.log 2>&1 &"); err != nil {
		return err
	}
	d.daemon, err = startDaemon(ctx, d.dir)
	return err
}

func (d *demo) emit(ctx context.Context) error {
	if err := d.say("An event is on disk before it is acknowledged. --wait shows what it causes: Ada is stored, and what save-user emits has her welcomed."); err != nil {
		return err
	}
	return errors.Join(
		d.evrun(ctx, 0, "emit", "user.registered", "-f", "name=Ada", "-f", "email=ada@example.com", "--wait"),
		d.evrun(ctx, 0, "users", "list"))
}

func (d *demo) fail(ctx context.Context) error {
	if err := d.say("Now the command fails. It is tried three times, then its run is dead: kept, and reported.", "touch down"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, "down"), nil, 0o600); err != nil {
		return err
	}
	return errors.Join(
		d.evrun(ctx, 1, "emit", "user.registered", "-f", "name=Bob", "-f", "email=bob@example.com", "--wait"),
		d.evrun(ctx, 0, "runs", "list", "--state", "dead"))
}

func (d *demo) retry(ctx context.Context) error {
	if err := d.say("The cause is mended, and the dead run tried again.", "rm down"); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(d.dir, "down")); err != nil {
		return err
	}
	return errors.Join(
		d.evrun(ctx, 0, "runs", "retry", "--state", "dead", "--yes"),
		d.settled(ctx),
		d.evrun(ctx, 0, "runs", "list", "--handler", "welcome"))
}

func (d *demo) kill(ctx context.Context) error {
	var lines strings.Builder
	for i := range many {
		fmt.Fprintf(&lines, `{"type":"user.registered","data":{"name":"User %d","email":"user-%d@example.com"}}`+"\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "users.ndjson"), []byte(lines.String()), 0o600); err != nil {
		return err
	}
	if err := d.say(fmt.Sprintf("%d more sign-ups, one a line in a file; and before they are worked off, the daemon is killed. They wait in the store.", many)); err != nil {
		return err
	}
	if err := d.evrun(ctx, 0, "emit", "--ndjson", "users.ndjson"); err != nil {
		return err
	}
	pid := d.daemon.pid()
	d.daemon.kill()
	return errors.Join(d.prompt([]string{"kill", "-9", fmt.Sprint(pid)}), d.evrun(ctx, 0, "handlers", "list"))
}

func (d *demo) recover(ctx context.Context) (err error) {
	if err := d.say("The next daemon goes on where that one was. Nothing that was acknowledged is lost, and no user is stored twice.",
		"evrun serve >>daemon.log 2>&1 &"); err != nil {
		return err
	}
	if d.daemon, err = startDaemon(ctx, d.dir); err != nil {
		return err
	}
	return errors.Join(d.settled(ctx), d.evrun(ctx, 0, "handlers", "list"), d.count(ctx, many+2))
}

func (d *demo) stop(context.Context) error {
	if err := d.say("Ctrl-C or a plain kill lets what is running end.", fmt.Sprintf("kill %d", d.daemon.pid())); err != nil {
		return err
	}
	if err := d.daemon.end(); err != nil || d.JSON() {
		return err
	}
	end := "That is all. To begin with a file of your own: evrun init, then evrun serve."
	return d.print("\n" + strings.Join(d.wrap(end), "\n") + "\n")
}

// say shows what a step is about, and commands that the demo itself does.
func (d *demo) say(text string, commands ...string) error {
	d.steps++
	if d.JSON() {
		return d.PrintJSON(map[string]any{"step": map[string]any{"number": d.steps, "text": text, "commands": append([]string{}, commands...)}})
	}
	p := d.Printer()
	lines := d.wrap(fmt.Sprintf("%d. %s", d.steps, text))
	for i := range lines {
		lines[i] = p.Paint(output.Bold, lines[i])
	}
	first := "\n"
	if d.steps == 1 {
		first = ""
	}
	if err := d.print(first + strings.Join(lines, "\n") + "\n"); err != nil {
		return err
	}
	for _, c := range commands {
		if err := d.prompt(strings.Fields(c)); err != nil {
			return err
		}
	}
	return nil
}

// prompt shows a command as a shell would. One that is wider than the terminal goes on in further lines, so that it can still be copied.
func (d *demo) prompt(words []string) error {
	if d.JSON() {
		return nil
	}
	p := d.Printer()
	line, text := "$", ""
	for _, w := range words {
		if d.width > 0 && len(line)+1+len(w)+2 > d.width && line != "$" {
			text += p.Paint(output.Cyan, line+` \`) + "\n"
			line = "   "
		}
		line += " " + w
	}
	return d.print(text + p.Paint(output.Cyan, line) + "\n")
}

func (d *demo) print(text string) error {
	_, err := fmt.Fprint(d.Out, text)
	return err
}

func (d *demo) wrap(text string) []string {
	if d.width == 0 {
		return []string{text}
	}
	return output.Wrap(text, min(d.width, 100))
}

// pause lets people read, on a terminal.
func (d *demo) pause(ctx context.Context) error {
	if d.width == 0 || d.JSON() {
		return ctx.Err()
	}
	select {
	case <-time.After(d.Pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
