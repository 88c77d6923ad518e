package localpg

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// childrenOf returns the pids of a process's children, zombies included.
func childrenOf(parent int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		if _, of := statOf(file); of != parent {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// statOf returns a process's state and the pid of its parent; without the process, 0 and 0. Its name,
// in parentheses, may have spaces.
func statOf(file string) (state byte, parent int) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	return fields[0][0], parent
}

// gone reports whether a process has ended. A zombie has: who adopted it may take its time.
func gone(pid int) bool {
	state, _ := statOf(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return state == 0 || state == 'Z' || state == 'X'
}
