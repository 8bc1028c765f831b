package columns

import (
	"fmt"
	"strconv"
	"strings"

	"evrun/store"
)

// InStates is a condition on a run r. A single state is written so that partial indexes are used.
func InStates(states []store.RunState) string {
	if len(states) == 1 {
		return fmt.Sprintf("r.state = %d", states[0])
	}
	list := make([]string, len(states))
	for i, state := range states {
		list[i] = strconv.Itoa(int(state))
	}
	return "r.state IN (" + strings.Join(list, ", ") + ")"
}
