//go:build !linux

package sqlite

func holders(string) []string { return nil }
