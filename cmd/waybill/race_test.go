//go:build race

package main

// underRace: the race detector makes a start of the program ten times as slow.
const underRace = true
