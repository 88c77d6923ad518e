package api

import (
	"runtime"
	"syscall"
)

// lowPriority is the nice value of hashing threads.
const lowPriority = 10

// inBackground runs work on a thread of low priority. The thread ends with it: raising the priority
// again would need privileges.
func inBackground(work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, which ends the thread
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowPriority)
		work()
	}()
	<-done
}
