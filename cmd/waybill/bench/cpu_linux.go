package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: sysconf(_SC_CLK_TCK), the same on all platforms.
const tick = 10 * time.Millisecond

// stat is a process's CPU time from /proc.
type stat struct {
	name   string
	parent int
	used   time.Duration // of the process itself
	reaped time.Duration // of its terminated children
}

func statOf(pid int) (stat, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	// The name, in parentheses, may contain any character.
	from, to := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if from < 0 || to < from {
		return stat{}, false
	}
	fields := strings.Fields(string(text[to+1:])) // from the third field on
	if len(fields) < 15 {
		return stat{}, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(fields[i-3]); return n }
	return stat{
		name: string(text[from+1 : to]), parent: number(4),
		used: time.Duration(number(14)+number(15)) * tick, reaped: time.Duration(number(16)+number(17)) * tick,
	}, true
}

// cpuOf returns the CPU time of a process.
func cpuOf(pid int) (time.Duration, bool) {
	s, ok := statOf(pid)
	return s.used, ok
}

// postmasterOf returns the server process of a backend, if it runs on this machine.
func postmasterOf(backend int) (pid int, ok bool) {
	s, ok := statOf(backend)
	return s.parent, ok && s.name == "postgres"
}

// cpuOfAll returns the CPU time of a process and its children.
func cpuOfAll(pid int) (time.Duration, bool) {
	s, ok := statOf(pid)
	if !ok {
		return 0, false
	}
	all := s.used + s.reaped
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if c, ok := statOf(child); ok && c.parent == pid {
			all += c.used + c.reaped
		}
	}
	return all, true
}
