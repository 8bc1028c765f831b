package guard

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"evrun/store"
)

// A repeated statement is limited by processor time.
func TestARepeatedStatementIsStoppedByTheProcessorsClock(t *testing.T) {
	u := openUser(t)
	endless := understood(t, `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c`)
	for limit, want := range map[Limit]string{
		{Wall: time.Hour, Processor: 20 * time.Millisecond}:        "more than 20ms",
		{Wall: 30 * time.Millisecond, Processor: time.Millisecond}: "more than",
		{Wall: 10 * time.Millisecond}:                              "more than 10ms",
	} {
		if _, err := u.Exec(context.Background(), limit, endless, nil); !errors.Is(err, store.ErrTimeout) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", limit, err)
		}
	}
}
