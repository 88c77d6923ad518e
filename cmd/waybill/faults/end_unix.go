//go:build unix && !linux

package faults

import "syscall"

// endWithThis does nothing: only Linux ends a program with its parent.
func endWithThis(a *syscall.SysProcAttr) *syscall.SysProcAttr { return a }
