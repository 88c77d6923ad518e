//go:build !race

package api_test

// stormCost is that of the passwords in a login storm.
const stormCost = 8

// stormReads is how many reads are timed beside a login storm.
const stormReads = 60
