//go:build race

package sides

// Race says that the race detector is on, with which everything takes several times as long.
const Race = true
