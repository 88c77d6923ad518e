// Package memo remembers what was read of a file: a run of the gate asks several times about each file of the base
// and of the head, most of which are the same.
package memo

import "sync"

// Of remembers values by their keys. Whoever gets one must not change it. Its zero value is ready for use.
type Of[K comparable, V any] struct{ known sync.Map }

// Get returns the value of a key, which the first caller makes.
func (o *Of[K, V]) Get(key K, make func() V) V {
	if known, ok := o.known.Load(key); ok {
		return known.(V)
	}
	known, _ := o.known.LoadOrStore(key, make())
	return known.(V)
}

// File is a key: a file by its name, and what it says.
type File struct{ Name, Text string }
