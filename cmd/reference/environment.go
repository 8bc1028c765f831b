package reference

import (
	"fmt"
	"strings"

	"evrun/cmd/config"
	"evrun/cmd/config/settings"
	"evrun/tasks/fields"
	"evrun/tasks/trace/otlp"
)

// environment is the page of environment variables.
func environment(Sources) (string, error) {
	var p page
	p.heading(1, "Environment variables")
	p.line("The variables that evrun reads, and those that it gives to the programs of `exec`. A flag wins over a variable, and a variable over the wiring file.\n")
	p.line("No other variable of evrun's environment reaches a program unless `pass_env` names it. Expressions read a variable with `env(\"NAME\")`, and its value is kept out of logs,")
	p.line("outputs and errors.")
	p.heading(2, "Settings")
	var rows [][]string
	for _, key := range config.Keys() {
		if settings.Is(key.Name) {
			rows = append(rows, settingRows("", key)...)
		}
	}
	p.table([]string{"variable", "key", "default", "what it does"}, rows)
	p.heading(2, "Commands")
	p.table([]string{"variable", "what it does"}, [][]string{
		{"`EVRUN_CONFIG`", "The wiring file that commands read, in place of `evrun.yaml`; `-c` wins"},
		{"`EVRUN_TRUST_FILES`", "`1` turns the checks of owners and modes of files off, and says so on stderr each time"},
		{"`TRACEPARENT`, `TRACESTATE`", "The trace context (W3C Trace Context) of the events that `evrun emit` publishes; a `traceparent` of the event itself wins"},
		{"`NO_COLOR`", "Not empty: no colours on a terminal; `--color` wins"},
		{"`COLUMNS`", "How wide a line may be where the terminal does not say"},
	})
	p.heading(2, "Spans")
	p.line("`evrun serve` sends spans to a collector by OpenTelemetry's variables: [Tracing](tracing.md). Of two names, the one with `TRACES` wins.\n")
	rows = nil
	for _, v := range otlp.Variables() {
		rows = append(rows, []string{v.Names, quoted(v.Default), v.Doc})
	}
	p.table([]string{"variable", "default", "what it does"}, rows)
	p.heading(2, "Programs that exec runs")
	p.table([]string{"variable", "what it has"}, [][]string{
		{"`PATH`, `HOME`", "Those of evrun; with `user`, that user's `HOME`"},
		{"`EVRUN_RUN_ID`", "The id of the run: the same at every attempt, so that the other side can recognize a repetition"},
		{"`EVRUN_ATTEMPT`", "The number of the attempt, from 1"},
		{"`EVRUN_HANDLER`", "The name of the handler"},
		{"`EVRUN_EVENT_ID`, `EVRUN_EVENT_TYPE`, `EVRUN_EVENT_SOURCE`, `EVRUN_EVENT_SUBJECT`, `EVRUN_EVENT_TIME`, `EVRUN_EVENT_SEQ`", "The attributes of the event; all of it comes on stdin"},
		{"`EVRUN_CONFIG`, `EVRUN_DAEMON`", "With these, `evrun emit` in the program finds this daemon"},
		{"`EVRUN_RUN_TOKEN`", "A secret of the attempt: what `evrun emit` publishes with it belongs to the run. Other programs send it as the header `Evrun-Run-Token`"},
		{"`EVRUN_LEAVE`", "Set with `leave: true`"},
		{"`TRACEPARENT`, `TRACESTATE`", "The trace context of the attempt, if there is one ([Tracing](tracing.md)); `env` and `pass_env` win"},
	})
	return p.String(), nil
}

// settingRows are the rows of a setting, or of those within it.
func settingRows(prefix string, f fields.Field) (rows [][]string) {
	if f.Type == "list" && len(f.Fields) > 0 { // of the wiring
		return nil
	}
	name := prefix + f.Name
	if len(f.Fields) > 0 {
		for _, inner := range f.Fields {
			rows = append(rows, settingRows(name+".", inner)...)
		}
		return rows
	}
	variable := "EVRUN_" + strings.ToUpper(strings.ReplaceAll(strings.TrimSuffix(name, ".path"), ".", "_"))
	return [][]string{{quoted(variable), quoted(name), quoted(f.Default), fmt.Sprint(f.Doc)}}
}
