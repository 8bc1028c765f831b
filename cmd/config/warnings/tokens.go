package warnings

import "evrun/tasks/fault"

// expired warns of tokens that are not valid any more.
func (f *finder) expired() {
	for i, t := range f.Tokens {
		if t.Expires.IsZero() || f.Now.Before(t.Expires) {
			continue
		}
		if _, value := f.TokenOf(i).Lookup("expires"); value != nil {
			f.at(value, "this time has passed: the token "+fault.Quote(t.Name)+" is not valid any more", "leave the token out, or write a time to come")
		}
	}
}
