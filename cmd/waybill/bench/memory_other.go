//go:build !linux

package bench

// The memory of a process is unknown on other platforms.

func forgetPeak(int) {}

func peakOf(int) float64 { return 0 }
