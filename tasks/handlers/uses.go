package handlers

import "evrun/tasks"

// Use says what becomes of the texts of an input.
type Use int

const (
	Rendered Use = iota // each ${ … } is evaluated, and nothing else in the text means anything
	Argument            // it is rendered, and a program may give the rest a meaning of its own
	Code                // it is in a language of its own: SQL, or that of a shell
	Constant            // nothing in it is replaced: a path, the name of a user
)

// user is a kind that doesn't render all its inputs.
type user interface {
	uses() map[string]Use
}

// Uses returns what becomes of the texts of an action's inputs, by their names. Those that are missing are rendered.
func Uses(action tasks.Action) map[string]Use {
	if c, ok := action.(chosen); ok {
		action = c.written()
	}
	if u, ok := action.(user); ok {
		return u.uses()
	}
	return nil
}

func (*command) uses() map[string]Use { return commandUses }

func (*sql) uses() map[string]Use { return sqlUses }

var (
	commandUses = map[string]Use{"command": Argument, "shell": Code, "dir": Constant, "user": Constant, "umask": Constant, "result": Constant}
	sqlUses     = map[string]Use{"statement": Code, "migrate": Code, "dsn": Constant}
)
