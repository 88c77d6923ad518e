package faults

import "syscall"

// endWithThis has a program end when this process does.
func endWithThis(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	a.Pdeathsig = syscall.SIGTERM
	return a
}
