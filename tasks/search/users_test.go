package search

import (
	"context"
	"slices"
	"testing"

	"evrun/store"
)

// people are users, of whom SearchUsers looks at one in each scan.
type people struct {
	store.Users
	asked [][]string
}

func (p *people) SearchUsers(_ context.Context, after int64, holding [][]string, _, _ int) (store.Part[store.User], error) {
	p.asked = holding
	return store.Part[store.User]{Items: []store.User{{ID: after + 1}}, Looked: 1, Reached: after + 1, Left: 9 - after, End: after == 9}, nil
}

func TestUsersAreSearchedPageByPage(t *testing.T) {
	p := &people{}
	var ids []int64
	pages := 0
	for after := int64(0); ; pages++ {
		page, err := Users(t.Context(), p, "Ümit  SMITH", after, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Items {
			ids = append(ids, u.ID)
		}
		if page.Next == "" {
			break
		}
		after = ids[len(ids)-1]
	}
	if !slices.Equal(ids, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) || pages != 2 {
		t.Errorf("%v on %d pages", ids, pages+1)
	}
	if len(p.asked) != 2 || !slices.Equal(p.asked[0], []string{"Ümit", "ümit"}) || !slices.Equal(p.asked[1], []string{"smith"}) {
		t.Errorf("%q", p.asked)
	}
}
