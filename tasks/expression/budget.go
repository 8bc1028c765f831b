package expression

import (
	"fmt"
	"strconv"

	"evrun/tasks/expression/functions"
	"evrun/tasks/expression/size"
)

// Budget bounds the work of evaluations by counting it. It reads no clock, so that the same event always gives the same value, even on a busy
// machine. Each evaluation has its own budget, unless its environment shares one ([Env.Within]). Not safe for concurrent use.
type Budget struct {
	work, bytes int // spent
	maxWork     int
	tooMuch     *functions.Error
	files       map[source]string // the texts for file() where no file may be read
}

// One unit of work takes about 20 to 200 ns: a node of a loop's body, a value of a list that is read, 64 bytes of a text.
const (
	maxWork = 20_000_000 // a few seconds
)

var (
	errTooMuch = &functions.Error{Msg: fmt.Sprintf("the expression takes more than %s steps", thousands(maxWork)),
		Hint: "nested loops, and long lists or texts of the payload in loops, take most", Plain: true}
)

// NewBudget returns a budget for several evaluations together, in units of work. An evaluation that exceeds it ends with an error that contains the
// given origin of the budget and hint.
func NewBudget(work int, where, hint string) *Budget {
	return &Budget{maxWork: work, tooMuch: &functions.Error{Msg: fmt.Sprintf("it takes more than %s steps, the most that %s", thousands(work), where), Hint: hint, Plain: true}}
}

// Renew resets the budget to its full size.
func (b *Budget) Renew() { b.work, b.bytes = 0, 0 }

// Left returns the remaining units of work.
func (b *Budget) Left() int { return max(0, b.maxWork-b.work) }

// Spend takes n units of work. The error says that the whole budget is used up. A nil *Budget is unlimited.
func (b *Budget) Spend(n int) error {
	if b == nil {
		return nil
	}
	if err := b.Take(n); err != nil {
		return &Error{Offset: -1, Msg: b.tooMuch.Msg, Hint: b.tooMuch.Hint}
	}
	return nil
}

// SpendOn is Spend for reading a value and everything in it.
func (b *Budget) SpendOn(v any) error {
	if b == nil {
		return nil
	}
	return b.Spend(b.size(v))
}

// Take is Spend with an error without a place, for functions.
func (b *Budget) Take(n int) error {
	if b == nil {
		return nil
	}
	if n < 0 || n > b.maxWork-b.work {
		b.work = b.maxWork + 1
		return b.tooMuch
	}
	b.work += n
	return nil
}

// charge counts the memory of v and everything in it. A nested list that repeats one list is cheap in memory, but large when it is written out.
func (b *Budget) charge(v any) error {
	before := b.bytes
	b.bytes = size.Bytes(v, before, functions.MaxBytes)
	if b.bytes > functions.MaxBytes {
		return functions.ErrTooBig
	}
	return b.Take((b.bytes - before) / 16)
}

// Read counts the work of reading all of v so many times.
func (b *Budget) Read(v any, times int) error {
	n := b.size(v)
	if n > b.maxWork/times {
		return b.Take(-1)
	}
	return b.Take(n * times)
}

// size returns the work of reading v. It stops when that is too much.
func (b *Budget) size(v any) int { return size.Work(v, 0, b.Left()) }

// thousands writes 20000000 as 20,000,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
