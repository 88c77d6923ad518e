//go:build !linux

package api

// inBackground just runs work: on this platform priorities belong to processes, not threads.
func inBackground(work func()) { work() }
