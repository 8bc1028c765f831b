// Package size measures values of the expression language, and stops when they are too large.
package size

import "encoding/json"

// Work adds the work of reading v to sum, and may stop when that is more than most.
func Work(v any, sum, most int) int { return work.of(v, sum, most) }

// Bytes adds v's size in memory to sum, and may stop when that is more than most.
func Bytes(v any, sum, most int) int { return bytes.of(v, sum, most) }

// scale has the units that the parts of a value count.
type scale struct {
	value, list, dict, key int  // each value; a list and a dict without their content
	number                 int  // in a list of numbers
	shift                  uint // of a text: 2^shift bytes count 1
}

var (
	work  = scale{value: 1, list: 1, dict: 1, key: 1, number: 1, shift: 6}
	bytes = scale{value: 16, list: 16, dict: 48, key: 16, number: 8}
)

// of adds the units of v to sum, and may stop when that is more than most.
func (c scale) of(v any, sum, most int) int {
	switch v := v.(type) {
	case string:
		return sum + c.text(len(v))
	case []any:
		sum += c.list
		for i := 0; i < len(v) && sum <= most; i++ {
			sum = c.of(v[i], sum, most)
		}
	case map[string]any:
		sum += c.dict
		for key, e := range v {
			if sum = c.of(e, sum+c.key+len(key)>>c.shift, most); sum > most {
				break
			}
		}
	case nil, bool, int, float64, json.Number:
		return sum + c.value
	default:
		return c.seldom(v, sum, most)
	}
	return sum
}

func (c scale) text(n int) int { return c.value + n>>c.shift }

// seldom is for values that only functions of the language make.
func (c scale) seldom(v any, sum, most int) int {
	switch v := v.(type) {
	case map[any][]any:
		sum += c.dict
		for key, list := range v {
			if sum = c.of(list, c.of(key, sum, most), most); sum > most {
				break
			}
		}
		return sum
	case []string:
		for _, e := range v {
			sum += c.text(len(e))
		}
		return sum + c.list
	case []int:
		return sum + c.list + c.number*len(v)
	case []float64:
		return sum + c.list + c.number*len(v)
	case []byte:
		return sum + c.text(len(v))
	case json.RawMessage:
		return sum + c.text(len(v))
	}
	return sum + c.value
}
