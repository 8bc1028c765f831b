package doctor

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"time"

	"evrun/tasks/schedule/slots"
)

// The clock of a machine that runs this is later than the first, and an event of a moment ago may be so much later than now.
var builtAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const ahead = time.Minute

// clock compares the clock with what the store has, and looks for the time zone data.
func (x *examination) clock() {
	const hint = "set the clock; timedatectl says whether it is kept in step"
	right := true
	if x.now.Before(builtAfter) {
		right = false
		x.add("clock", Error, hint, "it is %s", x.now.UTC().Format(time.RFC3339))
	}
	if x.last.After(x.now.Add(ahead)) {
		right = false
		x.add("clock", Error, hint, "the last event was accepted %s: the clock was set back, or was wrong then", x.within(x.last))
	}
	for _, name := range slices.Sorted(maps.Keys(x.marks)) {
		if m := x.marks[name]; m.Slot.After(x.now.Add(ahead)) {
			right = false
			x.add("clock", Error, hint+"; the schedule publishes again after that slot", "the schedule %s has published up to a slot %s", name, x.within(m.Slot))
		}
	}
	if _, err := slots.LoadZone("Europe/Paris"); err != nil {
		right = false
		x.add("clock", Warning, "install it (the package tzdata)", "there is no time zone data: schedules can only use UTC")
	}
	if right {
		x.add("clock", OK, "", "it is %s, not before what the store has; time zones are known", x.now.UTC().Format(time.RFC3339))
	}
}

// service checks that the daemon of a user may go on without the user.
func (x *examination) service() {
	u, err := user.Current()
	if err != nil || u.Uid == "0" {
		return
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return
	}
	units, _ := filepath.Glob(filepath.Join(dir, "systemd", "user", "evrun*.service")) // the pattern is right
	if len(units) == 0 {
		return
	}
	if _, err := os.Stat("/var/lib/systemd/linger/" + u.Username); errors.Is(err, fs.ErrNotExist) {
		x.add("service", Warning, "loginctl enable-linger "+u.Username, "%s is a service of yours, which ends when you log out", units[0])
		return
	}
	x.add("service", OK, "", "%s goes on when you log out", units[0])
}
