package config

import (
	"fmt"
	"time"

	"evrun/cmd/config/yaml"
	"evrun/tasks"
	"evrun/tasks/capture"
	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/handlers"
)

// defaultsKeys are what every handler has unless it says otherwise.
type defaultsKeys struct {
	Retry  retryKeys   `key:"retry" hint:"write retry: {attempts: 5, backoff: 1s, max: 1m}" number:"write retry: {attempts: %d}" other:"retries" doc:"How failed attempts are repeated. A handler's own retry may have some of its keys."`
	Output *outputKeys `key:"output" doc:"What is kept of the output of handlers that have one (exec, http)."`

	Timeout time.Duration `key:"timeout" doc:"Of one attempt of the handlers that act on the outside: exec, http, and notify with a url."`
}

// outputKeys say what is kept of what attempts print.
type outputKeys struct {
	Keep kept `key:"keep,required,short" min:"1KiB" max:"1MiB" doc:"How many bytes of each stream (stdout, stderr, the body of an answer) are kept with each attempt, half from its beginning and half from its end: 16KiB, or none. Default 64KiB."`
}

// kept is how many bytes of each stream are kept: as [tasks.Handler] has it.
type kept int

func (k *kept) DecodeField(value any, at *fields.At) {
	word, _ := value.(string)
	switch _, wrong := fields.ParseSize(word); {
	case word == "none":
		*k = capture.None
		return
	case word != "" && wrong != nil && !fields.IsNumber(word):
		at.Refuse(fault.New("%s is neither a size nor none", fault.Quote(word)).Hinting("write it with its unit: 16KiB, or write none"))
		return
	}
	var bytes fields.Size
	bytes.DecodeField(value, at)
	*k = kept(bytes)
}

func (*kept) FieldShape() fields.Shape {
	return fields.Shape{Words: "size or none", Schema: map[string]any{"type": "string", "pattern": `^(none|[0-9]{1,12}(\.[0-9]{1,3})? ?[A-Za-z]+)$`}}
}

// over returns the keys of a handler's retry over those of the defaults.
func (k retryKeys) over(defaults retryKeys) retryKeys {
	if k.Attempts == 0 {
		k.Attempts = defaults.Attempts
	}
	if k.Backoff == 0 {
		k.Backoff = defaults.Backoff
	}
	if k.Max == 0 {
		k.Max = defaults.Max
	}
	return k
}

// applyDefaults gives a handler the defaults of the file, as far as it has no keys of its own.
func (r *wiringReader) applyDefaults(n *yaml.Node, k *workKeys, h *tasks.Handler) {
	retry := k.Retry.over(r.defaults.Retry)
	h.Retry = tasks.Retry{Attempts: retry.Attempts, Backoff: retry.Backoff, Max: retry.Max}
	if _, own := n.Lookup("retry"); own != nil && retry.Max > 0 && retry.Max < retry.Backoff && (k.Retry.Max == 0 || k.Retry.Backoff == 0) {
		r.at(own, fmt.Sprintf("with the file's defaults, the longest wait (%s) is shorter than the first (%s)", retry.Max, retry.Backoff), "give it both backoff and max")
	}
	output := k.Output
	if output == nil {
		output = r.defaults.Output
	}
	if output != nil {
		h.KeepOutput = int(output.Keep)
	}
}

// applyTimeout gives a handler that acts on the outside the timeout of the file, if it has none of its own. Others have their own bounds.
func (r *wiringReader) applyTimeout(n *yaml.Node, h *tasks.Handler) {
	if _, own := n.Lookup("timeout"); own != nil {
		return
	}
	if _, outside := h.Action.(tasks.Outside); outside {
		h.Timeout = r.defaults.Timeout
	}
}

// checkOutput refuses an output for a kind that has none.
func (r *wiringReader) checkOutput(n *yaml.Node, h *tasks.Handler) {
	key, output := n.Lookup("output")
	if _, prints := h.Action.(tasks.Printer); output == nil || h.Action == nil || prints {
		return
	}
	var names []string
	for _, k := range handlers.Kinds() {
		if k.Prints != "" {
			names = append(names, k.Name)
		}
	}
	r.at(key, fmt.Sprintf("%s has no output that could be kept", h.Kind), "leave output out: "+fault.And(names)+" have one")
}
