package api

import (
	"runtime"
	"syscall"
)

// lowPriority is the nice value of a thread that hashes.
const lowPriority = 10

// inBackground does the work on a thread of low priority, which ends with it: without
// privileges its priority cannot be raised again.
func inBackground(work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked, which is what ends the thread
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowPriority)
		work()
	}()
	<-done
}
