//go:build race

package yaml

const raceEnabled = true
