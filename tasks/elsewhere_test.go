package tasks

import (
	"testing"

	"evrun/store"
)

func TestAHandlerRunsOnItsNodes(t *testing.T) {
	r := &Runner{o: Options{Node: &store.Node{Name: "web-1", Labels: []string{"gpu"}}}}
	for _, nodes := range [][]string{{"web-2"}, {"eu", "us"}} {
		l, err := r.hold(t.Context(), &Handler{Nodes: nodes}, store.Consumer{}, store.Division{})
		if err != nil || len(l.Take().Gained) != 0 {
			t.Errorf("%v: it has slots here, %v", nodes, err)
		}
	}
	for _, nodes := range [][]string{nil, {"web-2", "web-1"}, {"gpu"}} {
		if h := (&Handler{Nodes: nodes}); !h.RunsOn("web-1", []string{"gpu"}) {
			t.Errorf("%v: it does not run here", nodes)
		}
	}
}
