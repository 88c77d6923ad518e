//go:build !linux

package bench

import "os/exec"

func guard(*exec.Cmd) {}
