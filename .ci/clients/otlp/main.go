// otlp reads an ExportTraceServiceRequest in JSON, as the OpenTelemetry collector does, and prints its spans.
package main

import (
	"fmt"
	"io"
	"os"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	request := ptraceotlp.NewExportRequest()
	if err := request.UnmarshalJSON(text); err != nil {
		return err
	}
	for _, rs := range request.Traces().ResourceSpans().All() {
		name, _ := rs.Resource().Attributes().Get("service.name")
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				seq, _ := s.Attributes().Get("evrun.seq")
				_, err := fmt.Fprintf(out, "%s %s %s %s %q %q %s %d %d %d %x %s %q\n", name.Str(), s.TraceID(), s.SpanID(), s.ParentSpanID(), s.TraceState().AsRaw(), s.Name(), s.Kind(),
					seq.Int(), s.EndTimestamp()-s.StartTimestamp(), s.Links().Len(), s.Flags(), s.Status().Code(), s.Status().Message())
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}
