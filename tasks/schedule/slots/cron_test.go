package slots_test

import (
	"testing"
	"time"

	"evrun/tasks/fault"
	"evrun/tasks/schedule/slots"
)

// FuzzCron: for any text, New quickly returns an error that points into the text, or a schedule with increasing slots.
func FuzzCron(f *testing.F) {
	for _, c := range slotCases {
		f.Add(c.spec)
	}
	for _, text := range []string{
		"cron TZ=0", "cron CRON_TZ=UTC", "cron @every 1s", "cron 0 0 30 2 *", "cron L-30,LW,31W L * * *", "cron 0 0 L-30,31W 2,4 */2,FRI#5",
		"cron 1-2-3 */0 99999999999999999999 * 7-0/3", "cron 59 59 23 31 12 SUN#5", "cron \x00 \xff * * *",
	} {
		f.Add(text)
	}
	zones := make([]*time.Location, len(zoneNames))
	for i, name := range zoneNames {
		loc, err := slots.LoadZone(name)
		if err != nil {
			f.Fatal(err)
		}
		zones[i] = loc
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 5 && text[:5] == "cron " {
			text = text[5:]
		}
		for _, s := range []slots.Spec{{Cron: text}, {Daily: []string{text}}, {Weekly: []string{text}}, {Monthly: []string{text}}} {
			s.Zone = zones[len(text)%len(zones)]
			began := time.Now()
			sched, err := slots.New("fuzz", s)
			if err != nil {
				e := err.(*fault.Fault) // New promises this very type
				if e.Offset < 0 || e.Offset > len(text) || e.Message == "" {
					t.Fatalf("%q: error %#v points nowhere", text, e)
				}
				continue
			}
			if sched.Describe() == "" {
				t.Fatalf("%q has no description", text)
			}
			after := time.Date(2011, 9, 1, 0, 0, 0, 0, time.UTC)
			first := after
			for i := range 50 {
				slot, ok := sched.Next(after)
				if !ok || !slot.After(after) {
					t.Fatalf("%q: slot %d after %v is %v, %v", text, i, after, slot, ok)
				}
				after = slot
			}
			if n := sched.Count(first, after); n != 50 {
				t.Fatalf("%q: %d slots counted, want 50", text, n)
			}
			if took := time.Since(began); took > time.Second {
				t.Fatalf("%q took %v", text, took)
			}
		}
	})
}
