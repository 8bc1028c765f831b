//go:build !linux

package disk

func Holders(string) []string { return nil }
