package registry

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

// planning finds out which handler takes over from which.
type planning struct {
	*Change
	done  map[string]bool   // wired handlers (nobody takes over from these), and predecessors
	heirs map[string]string // the takeovers that the wiring asks for
	took  map[string]bool   // who has taken over
}

// takeOvers makes the takeovers that the wiring or an earlier one asks for, as far as they can be made now. It returns the names of the heirs.
func (c *Change) takeOvers(list []store.Registration, named map[string]bool) (map[string]bool, error) {
	p := planning{Change: c, done: named, heirs: map[string]string{}, took: map[string]bool{}}
	for _, r := range list {
		p.heirs[r.Was] = r.Name
	}
	for _, r := range list {
		if r.Later {
			continue
		}
		if err := p.takes(c.rows[r.Name]); err != nil {
			return nil, err
		}
	}
	return p.took, nil
}

// takes lets a handler take over from its predecessors, after these from theirs. It waits for those that another daemon still has: they stay as they are.
func (p *planning) takes(heir *row) error {
	for _, h := range p.sorted() {
		named, ok := p.heirs[h.Name]
		if h.Forgotten() || p.done[h.Name] || named != heir.Name && (ok || h.Heir == 0 || h.Heir != heir.ID) {
			continue
		}
		free, err := p.free(heir, h)
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		p.done[h.Name] = true
		if err := p.takes(h); err != nil {
			return err
		}
		if err := p.takeOver(heir, h); err != nil {
			return fmt.Errorf("handler %s takes over from %s: %w", heir.Name, h.Name, err)
		}
		p.took[heir.Name] = true
	}
	return nil
}

// free reports whether no other daemon has the handler wired, or holds slots of it or of its heir. Nobody gains one of these slots until the end of the
// transaction. A daemon whose leases have expired holds its slots until another one has fenced it off.
func (p *planning) free(heir, h *row) (bool, error) {
	if h.Active {
		return false, nil
	}
	for _, one := range []*row{heir, h} {
		if err := Alone(p.tx, one.ID); err != nil { // slots are moved one handler at a time
			return false, err
		}
	}
	rows, err := p.tx.Query(`SELECT handler::bigint, low_water, coalesce(node, 0) FROM evrun.shares WHERE handler = ANY ($1) ORDER BY id FOR UPDATE`,
		[]int64{heir.ID, h.ID})
	if err != nil {
		return false, err
	}
	type share struct{ Handler, LowWater, Node int64 }
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[share])
	if err != nil {
		return false, err
	}
	marks := map[int64]int64{}
	for _, s := range list {
		if s.Node != 0 && s.Node != p.node {
			return false, nil
		}
		if mark, ok := marks[s.Handler]; !ok || s.LowWater < mark {
			marks[s.Handler] = s.LowWater
		}
	}
	heir.LowWater, h.LowWater = marks[heir.ID], marks[h.ID] // they may have risen since they were read
	return true, nil
}

// takeOver gives a handler the mark and the runs of another.
func (p *planning) takeOver(heir, was *row) error {
	if err := p.moveRuns(heir, was); err != nil {
		return err
	}
	if err := heir.Succeed(&was.Handler, p.head); err != nil {
		return err
	}
	var waited bool // no daemon has held slots of it yet: since it was registered, events went to its predecessor, on other daemons
	if err := p.tx.Row(`SELECT division IS NULL AND $2 FROM evrun.handlers WHERE id = $1`, heir.ID, p.node != 0).Scan(&waited); err != nil {
		return err
	}
	if waited {
		heir.Since = p.head
	}
	heir.LowWater, heir.Paused = heir.MarkAfter(&was.Handler), heir.Paused || was.Paused
	heir.changed = true
	if heir.PausedAt == 0 {
		heir.Pause = was.Pause
	}
	// A later handler of this name begins here at the earliest, so that ids of runs are never reused.
	kept := row{changed: true}
	kept.ID, kept.Name, kept.LowWater, kept.Since, kept.Patterns, kept.LeftHead = was.ID, was.Name, p.head, was.Since, was.Patterns, was.LeftHead
	*was = kept
	if err := p.putMark(was); err != nil {
		return err
	}
	return p.putMark(heir)
}

// moveRuns moves unsettled, dead and cancelled runs, the runs that they joined, and runs above the mark, because the heir reads those events again. Where
// both have a run for a sequence, each keeps its run.
func (p *planning) moveRuns(heir, was *row) error {
	_, err := p.tx.Exec(`WITH open AS (
			SELECT sequence FROM evrun.runs WHERE handler = $1 AND state <= 2 UNION
			SELECT sequence FROM evrun.runs WHERE handler = $1 AND state IN (5, 7) AND (state = 2 OR state > 4)),
		taken AS (
			SELECT sequence FROM open UNION
			SELECT sequence FROM evrun.runs WHERE handler = $1 AND joined IN (SELECT sequence FROM open) UNION
			SELECT sequence FROM evrun.runs WHERE handler = $1 AND sequence > $3),
		moved AS (
			UPDATE evrun.runs r SET handler = $2, began_as = coalesce(began_as, $1) FROM taken t WHERE r.sequence = t.sequence AND r.handler = $1
				AND NOT EXISTS (SELECT FROM evrun.runs o WHERE o.sequence = r.sequence AND o.handler = $2)
			RETURNING r.sequence),
		history AS (
			UPDATE evrun.attempts a SET handler = $2 FROM moved m WHERE a.sequence = m.sequence AND a.handler = $1
				AND NOT EXISTS (SELECT FROM evrun.attempts o WHERE o.sequence = a.sequence AND o.handler = $2 AND o.attempt = a.attempt))
		UPDATE evrun.run_outputs o SET handler = $2 FROM moved m WHERE o.sequence = m.sequence AND o.handler = $1
			AND NOT EXISTS (SELECT FROM evrun.run_outputs h WHERE h.sequence = o.sequence AND h.handler = $2 AND h.attempt = o.attempt)`,
		was.ID, heir.ID, was.LowWater)
	return err
}
