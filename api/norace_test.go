//go:build !race

package api_test

// stormCost is that of the passwords in a login storm.
const stormCost = 8

// tryEvery: each of the requests that are wrong in one way is sent.
const tryEvery = 1
