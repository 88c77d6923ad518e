//go:build !race

package api_test

// raceFactor is 1 without the race detector.
const raceFactor = 1

// stormCost is that of the passwords in a login storm.
const stormCost = 8

// stormReads is how many reads are timed beside a login storm.
const stormReads = 60
