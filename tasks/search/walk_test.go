package search

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"evrun/store"
	"evrun/tasks/expression"
)

// On a slow disk, where a scan alone uses up a page's time, a page still evaluates as much as it read, and not one item of it.
func TestAPageIsWorthWhatItRead(t *testing.T) {
	const items, reading = 10_000, 4 * StepTime
	synctest.Test(t, func(t *testing.T) {
		next, evaluated, scans := 0, 0, 0
		w := walk[int]{
			q: &Query{Where: &expression.Expr{}, Limit: items},
			scan: func(limit, _ int) (part store.Part[int], err error) {
				scans++
				time.Sleep(reading)
				for i := next; i < min(next+limit, items); i++ {
					part.Items = append(part.Items, i)
				}
				part.End = next+limit >= items
				return part, nil
			},
			move: func(string) error { return nil },
			check: func(found []int) (func(int) (bool, error), error) {
				return func(i int) (bool, error) {
					time.Sleep(time.Millisecond)
					evaluated++
					return found[i]%100 == 0, nil
				}, nil
			},
			place: strconv.Itoa,
		}
		found := 0
		for {
			page, err := w.page()
			if err != nil {
				t.Fatal(err)
			}
			if found += len(page.Items); page.Next == "" {
				break
			}
			last, err := strconv.Atoi(page.Next)
			if err != nil {
				t.Fatal(err)
			}
			next = last + 1
		}
		if found != items/100 || evaluated != items {
			t.Errorf("%d found of %d evaluated", found, evaluated)
		}
		if most := items/int(reading/time.Millisecond) + 1; scans > most {
			t.Errorf("%d scans, want at most %d", scans, most)
		}
	})
}
