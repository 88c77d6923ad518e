//go:build !linux

package api

// inBackground just does the work: priorities belong to processes here, not to threads.
func inBackground(work func()) { work() }
