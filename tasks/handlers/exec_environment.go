package handlers

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"evrun/tasks"
	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/process"
	"evrun/tasks/trace"
)

// Environment is what a wiring file says about the environment of all programs.
type Environment struct {
	Env  map[string]*expression.Template // in the scope [expression.Environment]
	Pass []string                        // names of variables of this process
}

// Check returns the faults of the names, with paths that begin with env or pass_env.
func (e Environment) Check() []*fault.Fault {
	faults := checkVariables(slices.Sorted(maps.Keys(e.Env)), true)
	for i, name := range e.Pass {
		if _, twice := e.Env[name]; twice {
			faults = append(faults, &fault.Fault{Path: []any{"pass_env", i}, Message: fmt.Sprintf("%s has a value in env", name), Hint: "keep one of them"})
		}
	}
	return append(faults, checkPassed(e.Pass)...)
}

// environed is a kind whose programs get the environment of the wiring file.
type environed interface {
	inherit(e Environment)
}

// RunsPrograms reports whether an action's programs get the environment of the wiring file.
func RunsPrograms(action tasks.Action) bool {
	_, ok := action.(environed)
	return ok
}

// inherit adds the file's environment, where the handler's own has no other value.
func (c *command) inherit(e Environment) {
	if len(e.Env) > 0 {
		env := maps.Clone(e.Env)
		maps.Copy(env, c.Env)
		c.Env = env
	}
	if c.PassEnv = slices.Concat(e.Pass, c.PassEnv); c.secrets.Sealed() {
		return
	}
	for _, name := range c.PassEnv {
		if secretName().MatchString(name) {
			c.secrets.Add(os.Getenv(name))
		} else if u, err := url.Parse(os.Getenv(name)); err == nil && u.User != nil { // HTTP_PROXY
			password, _ := u.User.Password()
			c.secrets.Add(password)
		}
	}
}

// secretName matches the names of variables that usually have secrets: their values are removed from what evrun stores and logs. The others,
// such as LANG, are not: a word of everyday use would vanish from each output.
var secretName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)TOKEN|SECRET|PASSW|PASSPHRASE|PASS$|PWD$|CREDENTIAL|_KEY$|^KEY$|_PAT$|AUTH|_DSN$`)
})

// defaultPath is the PATH of commands if the daemon has none.
const defaultPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

// ownVariables are the variables that evrun sets.
var ownVariables = []string{"EVRUN_RUN_ID", "EVRUN_ATTEMPT", "EVRUN_HANDLER", "EVRUN_EVENT_ID", "EVRUN_EVENT_TYPE",
	"EVRUN_EVENT_SOURCE", "EVRUN_EVENT_SUBJECT", "EVRUN_EVENT_TIME", "EVRUN_EVENT_SEQ"}

// variableConfig names the daemon's wiring file to evrun's commands.
const variableConfig = "EVRUN_CONFIG"

// environment returns the whole environment of the program.
func (c *command) environment(d *tasks.Delivery) (map[string]string, error) {
	own := d.Variables()
	env := make(map[string]string, len(c.Env)+len(ownVariables)+len(own)+2)
	env["PATH"] = defaultPath
	for _, name := range slices.Concat(inherited, c.PassEnv) {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	if c.user != nil {
		if delete(env, "HOME"); c.user.Home != "" {
			env["HOME"] = c.user.Home
		}
	}
	if config, ok := own[variableConfig]; ok {
		env[variableConfig] = config // evrun emit finds this daemon, unless env says otherwise
		delete(own, variableConfig)
	}
	for name, t := range c.Env {
		v, err := t.Text(d.Env)
		if err != nil {
			return nil, fmt.Errorf("env.%s: %w", name, err)
		}
		if strings.ContainsRune(v, 0) {
			return nil, c.fault(true, "env.%s: %s has a NUL byte in it, which no variable can hold; pass it on stdin", name, c.excerpt(v))
		}
		env[name] = v
	}
	for i, v := range []string{d.RunID, strconv.Itoa(d.Attempt), d.Handler, d.Event.ID, d.Event.Type,
		d.Event.Source, d.Event.Subject, d.Event.Time.UTC().Format(time.RFC3339Nano), strconv.FormatInt(d.Event.Sequence, 10)} {
		env[ownVariables[i]] = v
	}
	maps.Copy(env, own)
	setTrace(env, d)
	return env, nil
}

// setTrace sets the variables with the trace context of an attempt, unless the wiring file sets one itself.
func setTrace(env map[string]string, d *tasks.Delivery) {
	c := d.Trace()
	if _, other := env[trace.VariableParent]; other || !c.Valid() {
		return
	}
	env[trace.VariableParent] = c.Parent()
	if delete(env, trace.VariableState); c.State != "" {
		env[trace.VariableState] = c.State
	}
}

// inherited are the variables of evrun's own environment that each program gets.
var inherited = []string{"PATH", "HOME"}

var variableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// checkVariables checks the names of variables of env, of the whole file or of one handler. In that of the file, no variable of evrun can
// stand: its commands, and all that programs start, would read it.
func checkVariables(names []string, all bool) []*fault.Fault {
	var faults []*fault.Fault
	add := func(name, hint, format string, args ...any) {
		faults = append(faults, &fault.Fault{Path: []any{"env", name}, Key: true, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	for _, name := range names {
		switch {
		case slices.Contains(ownVariables, name), name == process.LeaveVariable:
			add(name, "choose another name", "%s is set by evrun", name)
		case !variableName().MatchString(name):
			add(name, "it has letters, digits and _, and begins with no digit", "%q is not a valid variable name", name)
		case all && strings.HasPrefix(name, "EVRUN_"):
			add(name, "a handler's own env can have it, if that is meant", "%s changes what evrun's own commands do in every program", name)
		}
	}
	return faults
}

// checkPassed checks the names of variables that are passed.
func checkPassed(names []string) []*fault.Fault {
	var faults []*fault.Fault
	for i, name := range names {
		add := func(hint, format string, args ...any) {
			faults = append(faults, &fault.Fault{Path: []any{"pass_env", i}, Message: fmt.Sprintf(format, args...), Hint: hint})
		}
		switch {
		case slices.Contains(names[:i], name):
			add("leave it out", "%s is in the list twice", name)
		case slices.Contains(inherited, name):
			add("leave it out", "%s is passed anyway", name)
		case strings.HasPrefix(name, "EVRUN_"):
			add("leave it out: a program gets what it needs of these", "%s is evrun's own", name)
		case strings.Contains(name, "="):
			add("write env: {NAME: value}", "%q has a value: only a name can be passed", name)
		case strings.ContainsAny(name, "*?"):
			add("write each name", "%q is a pattern: only names can be passed", name)
		case !variableName().MatchString(name):
			add("it has letters, digits and _, and begins with no digit", "%q is not a valid variable name", name)
		}
	}
	return faults
}
