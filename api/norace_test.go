//go:build !race

package api_test

// stormCost is that of the passwords in a login storm.
const stormCost = 8
