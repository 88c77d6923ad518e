//go:build race

package api_test

// raceFactor is how many times fewer requests do where each is like the ones before:
// the race detector makes them ten times as slow, and learns nothing from more.
const raceFactor = 4

// stormCost: the race detector makes a hash ten times as slow.
const stormCost = 5

// stormReads: the figures of the storm are the race detector's here, and the first few
// reads have met all that run beside them.
const stormReads = 20
