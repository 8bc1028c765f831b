package cli

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"evrun/tasks/fault"
)

// aliases are names that people try. They are not in the help.
var aliases = map[string][]string{
	"list": {"ls"}, "runs": {"run"}, "events": {"event"}, "handlers": {"handler"}, "schedules": {"schedule"}, "users": {"user"},
}

// tried are names that other programs have for a command: it is suggested.
var tried = map[string][]string{
	"serve": {"start", "up", "daemon", "server", "run-server"}, "emit": {"publish", "send", "trigger", "push"}, "tail": {"watch", "follow", "log", "logs", "monitor"},
	"validate": {"check", "lint", "verify"}, "show": {"get", "describe", "inspect", "view"}, "drop": {"rm", "remove", "delete", "del"}, "forget": {"rm", "remove", "delete"},
	"reload": {"restart", "refresh"}, "init": {"new", "create"}, "fire": {"trigger", "run"}, "status": {"ps", "top", "health"}, "list": {"all"},
}

// Group makes c a command that consists of others: alone it prints its help.
func Group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args, c.RunE = UnknownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
	c.SuggestionsMinimumDistance = 2 // edits; 0 would find beginnings of names only
	for _, sub := range commands {
		sub.Aliases, sub.SuggestFor = aliases[sub.Name()], tried[sub.Name()]
	}
	c.AddCommand(commands...)
	return c
}

// UnknownCommand refuses an unknown command, and suggests the closest one, or the one that has this name elsewhere in the tree.
func UnknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	path := strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), "evrun") + " ")
	for _, sub := range c.Root().Commands() {
		for _, deep := range sub.Commands() {
			if deep.Name() == args[0] {
				return Usage("unknown command %q; did you mean %q?", args[0], sub.Name()+" "+deep.Name())
			}
		}
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		meant := cmp.Or(fault.Closest(args[0], near), near[0]) // they are in the order of the alphabet
		return Usage("unknown command %q; did you mean %q?", args[0], strings.TrimSpace(path+" "+meant))
	}
	return Usage("unknown command %q", args[0])
}
