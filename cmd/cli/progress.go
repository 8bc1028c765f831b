package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"evrun/cmd/api"
	"evrun/tasks/fault"
)

// shows reports whether there is a terminal to show progress on.
func (e *Env) shows() bool { return !e.Quiet && e.terminal(e.Err) }

// Progress shows on a terminal how far a search has come, while it finds nothing for long, or anything else that takes its time.
type Progress struct {
	e       *Env
	since   time.Time // of the last row
	scanned int64     // since then
	shown   bool
}

// Progress makes one for what begins.
func (e *Env) Progress() *Progress { return &Progress{e: e} }

// patience is how long a search may find nothing before it says how far it has come.
const patience = 300 * time.Millisecond

// Show is called with each page, before it is printed.
func (p *Progress) Show(rows int, info api.PageInfo) {
	now := time.Now()
	if p.scanned += info.Scanned; rows > 0 || p.since.IsZero() {
		p.since, p.scanned = now, 0
		p.Clear()
		return
	}
	if now.Sub(p.since) >= patience {
		p.Say("searching: %.0f %%, %s looked at", info.Progress*100, fault.Plural(int(p.scanned), "event"))
	}
}

// Say shows in words how far it has come.
func (p *Progress) Say(format string, args ...any) {
	if p.e.shows() {
		p.shown = true
		fmt.Fprintf(p.e.Err, "\r\x1b[K"+format, args...)
	}
}

// Clear removes what is shown.
func (p *Progress) Clear() {
	if p.shown {
		fmt.Fprint(p.e.Err, "\r\x1b[K")
	}
	p.shown = false
}

// batchBar shows the progress of a batch on a terminal. The zero value shows nothing.
type batchBar struct {
	p   *mpb.Progress
	bar *mpb.Bar
}

func (e *Env) batchBar() *batchBar {
	if !e.shows() {
		return &batchBar{}
	}
	return &batchBar{p: mpb.New(mpb.WithOutput(e.Err), mpb.WithWidth(64))}
}

// at shows how far the batch is.
func (b *batchBar) at(now api.Batch) {
	if b.p == nil {
		return
	}
	if b.bar == nil {
		b.bar = b.p.AddBar(0, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.CountersNoUnit("%d / %d")),
			mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
		b.bar.SetTotal(int64(now.Total), false)
	}
	b.bar.SetCurrent(int64(now.Done))
}

// end removes the bar.
func (b *batchBar) end() {
	if b.p == nil {
		return
	}
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
	}
	b.p.Wait()
}

// ReadBar shows on a terminal how much of in was read; size 0 is not known, and shows nothing. notes writes above the bar, and done removes it.
func (e *Env) ReadBar(in io.Reader, size int64) (read io.Reader, notes io.Writer, done func()) {
	if size == 0 || !e.shows() {
		return in, e.Err, func() {}
	}
	p := mpb.New(mpb.WithOutput(e.Err), mpb.WithWidth(64))
	// A bar with a total from the start completes when that much is read. This one completes in done: until then notes can be
	// printed above it.
	bar := p.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
	bar.SetTotal(size, false)
	counted, err := bar.ProxyReader(in)
	if err != nil { // the lines are sent without a bar
		counted = io.NopCloser(in)
	}
	return counted, above{p, e.Err}, func() {
		bar.SetTotal(-1, true)
		p.Wait()
	}
}

// above writes above the bar or, where the terminal can't show one, without it.
type above struct {
	p     *mpb.Progress
	plain io.Writer
}

func (a above) Write(text []byte) (int, error) {
	if n, err := a.p.Write(text); err == nil {
		return n, nil
	}
	return a.plain.Write(text)
}
