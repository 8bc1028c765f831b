// Package format writes values as texts, for functions of the expression language: printf, strftime, rounded numbers, escaped and hashed texts. The size
// of what it writes follows from its arguments, whatever is in them. It reads no clock and no randomness.
package format
