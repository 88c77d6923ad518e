//go:build race

package api_test

// stormCost: the race detector makes a hash ten times as slow.
const stormCost = 5

// tryEvery leaves out most of some thousand requests that differ in what is wrong with
// them, not in who runs at once; go test sends them all.
const tryEvery = 4
