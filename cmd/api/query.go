package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"evrun/events"
)

// parameters reads the parameters of a request. err is the first one that is wrong.
type parameters struct {
	url.Values
	err error
}

func parametersOf(r *http.Request) *parameters { return &parameters{Values: r.URL.Query()} }

func (p *parameters) wrong(detail string) {
	if p.err == nil {
		p.err = problem(http.StatusBadRequest, detail)
	}
}

// number reads a number of 0 or more; 0 if it is absent.
func (p *parameters) number(name string) int64 {
	text := p.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		p.wrong(name + ": a whole number, not " + strconv.Quote(text))
		return 0
	}
	return n
}

// time reads a time; the zero time if it is absent.
func (p *parameters) time(name string) time.Time {
	text := p.Get(name)
	if text == "" {
		return time.Time{}
	}
	t, ok := events.ParseTime(text)
	if !ok {
		p.wrong(name + ": an RFC 3339 time, not " + strconv.Quote(text))
	}
	return t
}

// yes reports whether a switch is on.
func (p *parameters) yes(name string) bool { return p.Get(name) == "1" || p.Get(name) == "true" }

// maxPage is how many items a list has at most.
const maxPage = 1000

// limit is the size of a page: at most maxPage, and 100 if it is absent.
func (p *parameters) limit() int {
	n := p.number("limit")
	if n == 0 {
		n = 100
	}
	return int(min(n, maxPage))
}
