package cmd

import (
	"io"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows on a terminal how much of in was read, with the notes above it. done removes the bar.
func (b *bulk) progress(in io.Reader, size int64) (read io.Reader, done func()) {
	if b.quiet || size == 0 || !b.terminal(b.err) {
		return in, func() {}
	}
	p := mpb.New(mpb.WithOutput(b.err), mpb.WithWidth(64))
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
	b.notes = above{p, b.err}
	return counted, func() {
		bar.SetTotal(-1, true)
		p.Wait()
		b.notes = b.err
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
