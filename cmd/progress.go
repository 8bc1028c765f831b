package cmd

import (
	"io"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows on a terminal how much of in was read, and puts the notes above it. done takes it away.
func (b *bulk) progress(in io.Reader, size int64) (read io.Reader, done func()) {
	if b.quiet || size == 0 || !b.terminal(b.err) {
		return in, func() {}
	}
	p := mpb.New(mpb.WithOutput(b.err), mpb.WithWidth(64))
	bar := p.AddBar(size, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
	counted, err := bar.ProxyReader(in)
	if err != nil { // the bar is over before it began: no reason not to send
		counted = io.NopCloser(in)
	}
	b.notes = p
	return counted, func() {
		bar.SetTotal(-1, true) // whatever was read: it is over
		p.Wait()
		b.notes = b.err
	}
}
