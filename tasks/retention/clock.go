package retention

import "time"

const (
	clockJump = 24 * time.Hour // a wall clock that moves by more at once was wrong, before or now
	restAfter = time.Hour      // nothing is pruned then: a clock that is wrong now is set by then
)

// jumps notices that the wall clock was set, or the machine slept for long, and has pruning rest: by a clock that is a year ahead, everything is old.
type jumps struct {
	elapsed func() time.Duration // by a clock that nobody sets; nil: jumps go unnoticed
	wall    time.Time            // when it was last looked
	at      time.Duration
	rest    time.Duration // until then
}

// look returns by how much the wall clock has just jumped, if it has, and how long pruning must rest.
func (j *jumps) look(now time.Time) (jump, rest time.Duration) {
	if j.elapsed == nil {
		return 0, 0
	}
	wall, at := now.Round(0), j.elapsed()
	if !j.wall.IsZero() {
		if d := wall.Sub(j.wall) - (at - j.at); d.Abs() > clockJump {
			jump, j.rest = d, at+restAfter
		}
	}
	j.wall, j.at = wall, at
	return jump, max(0, j.rest-at)
}
