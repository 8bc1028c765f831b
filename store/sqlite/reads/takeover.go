package reads

import (
	"context"
	"slices"

	"evrun/store"
	"evrun/store/columns"
	"evrun/store/sqlite/conn"
)

// Plan is what a Register needs to know and can't change: it is read before the writer is held.
type Plan struct {
	Idle      map[string]bool // handlers that had left and have no work to do
	Takeovers []Takeover      // in this order
}

// Takeover says that one handler takes over from another.
type Takeover struct {
	Heir, Was string
	Mark      int64   // the row of Was when the takeover was planned
	Runs      []int64 // the sequences of the runs of Was that are taken over
}

// PlanRegister plans the registration of these handlers. None of them runs meanwhile.
func PlanRegister(ctx context.Context, r *Reader, handlers []store.Registration) (Plan, error) {
	p := planning{r: r, named: map[string]bool{}, heirs: map[string]string{}, plan: Plan{Idle: map[string]bool{}}}
	var err error
	if p.rows, err = r.handlerRows(ctx); err != nil {
		return p.plan, err
	}
	for _, h := range handlers {
		p.named[h.Name], p.heirs[h.Was] = true, h.Name
	}
	for _, h := range handlers {
		row := p.find(h.Name)
		if row != nil && row.Left && !h.FromMark {
			b, err := r.Backlog(ctx, row.Consumer(), 0)
			if err != nil {
				return p.plan, err
			}
			p.plan.Idle[h.Name] = b.Empty()
		}
		if !h.Later {
			if row == nil {
				row = &columns.Handler{Name: h.Name, Since: -1}
			}
			if _, err := p.takes(ctx, row); err != nil {
				return p.plan, err
			}
		}
	}
	return p.plan, nil
}

// planning finds out which handler takes over from which.
type planning struct {
	r     *Reader
	rows  []*columns.Handler
	named map[string]bool   // wired handlers (nobody takes over from these), and predecessors
	heirs map[string]string // the takeovers that the wiring asks for
	plan  Plan
}

func (p *planning) find(name string) *columns.Handler {
	if i := slices.IndexFunc(p.rows, func(row *columns.Handler) bool { return row.Name == name }); i >= 0 {
		return p.rows[i]
	}
	return nil
}

// takes plans which runs a handler takes over: those of its predecessors and, in turn, of their predecessors. It returns their sequences.
func (p *planning) takes(ctx context.Context, heir *columns.Handler) (runs []int64, err error) {
	for _, row := range p.rows {
		named, ok := p.heirs[row.Name]
		if row.Forgotten() || p.named[row.Name] || named != heir.Name && (ok || row.Heir == 0 || row.Heir != heir.ID) {
			continue
		}
		p.named[row.Name] = true
		more, err := p.takes(ctx, row)
		if err != nil {
			return nil, err
		}
		own, err := p.r.toTake(ctx, row.ID, row.LowWater) // as it is after it took over
		if err != nil {
			return nil, err
		}
		step := Takeover{Heir: heir.Name, Was: row.Name, Mark: row.LowWater, Runs: append(more, own...)}
		p.plan.Takeovers = append(p.plan.Takeovers, step)
		runs = append(runs, step.Runs...)
		heir.LowWater = heir.MarkAfter(row)
	}
	return runs, nil
}

// toTake returns the sequences of the runs that go to a handler's heir: unsettled, dead and cancelled runs, the runs that they joined, and runs above the mark,
// because the heir reads those events again.
func (r *Reader) toTake(ctx context.Context, handler, mark int64) ([]int64, error) {
	// No time limit: it runs at a start or a reload, and with a limit the heir might never start.
	rows, err := r.db.DB.QueryContext(ctx, `
		WITH open AS (
			SELECT sequence FROM runs WHERE handler = ?1 AND state <= 2 UNION
			SELECT sequence FROM runs INDEXED BY runs_listed WHERE handler = ?1 AND state IN (5, 7) AND (state = 2 OR state > 4))
		SELECT sequence FROM open
		UNION SELECT sequence FROM runs WHERE handler = ?1 AND joined IN (SELECT sequence FROM open)
		UNION SELECT sequence FROM runs WHERE handler = ?1 AND sequence > ?2`, handler, mark)
	if err != nil {
		return nil, conn.Translate(err)
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var sequence int64
		if err := rows.Scan(&sequence); err != nil {
			return nil, conn.Translate(err)
		}
		list = append(list, sequence)
	}
	return list, conn.Translate(rows.Err())
}
