package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"evrun/events"
	"evrun/tasks"
)

// args evaluates the parameters in the order of the statement.
func (s *sql) args(d *tasks.Delivery) ([]any, error) {
	args := make([]any, len(s.values))
	for i, v := range s.values {
		given, err := v.Eval(d.Env)
		if err != nil {
			return nil, fmt.Errorf("params.%s: %w", s.statement.Params[i].Name, err)
		}
		if args[i], err = sqlArg(given); err != nil {
			return nil, tasks.Permanent(fmt.Errorf("params.%s: %w", s.statement.Params[i].Name, err))
		}
	}
	return args, nil
}

var errLargeNumber = errors.New("the whole number is too large for a column (they end at 9223372036854775807); string() would keep it as text")

// sqlArg converts a value for a column: to nil, int64, float64 or string. Nothing is rounded. The error does not contain the value,
// which may be a secret.
func sqlArg(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, string:
		return v, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int:
		return int64(v), nil
	case uint64:
		if v > math.MaxInt64 {
			return nil, errLargeNumber
		}
		return int64(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a column can't hold NaN or an infinite number")
		}
		return v, nil
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") { // it would be an int if it fitted
			return nil, errLargeNumber
		}
		f, err := v.Float64()
		if err != nil {
			return nil, errors.New("the number is too large for a column; string() would keep it as text")
		}
		return f, nil
	}
	text, err := events.MarshalJSON(v)
	return string(text), err
}
