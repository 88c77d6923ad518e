//go:build race

package api_test

// stormCost: the race detector makes a hash ten times as slow.
const stormCost = 5
