//go:build !linux

package bench

import "time"

func cpuOf(int) (time.Duration, bool) { return 0, false }

func cpuOfAll(int) (time.Duration, bool) { return 0, false }

func postmasterOf(int) (int, bool) { return 0, false }
