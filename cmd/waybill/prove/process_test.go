package prove

import (
	"strings"
	"testing"
	"time"
)

// A program whose end was told once can be stopped all the same: what has ended is not waited for again.
func TestAProgramThatEndedWithAnErrorIsStopped(t *testing.T) {
	t.Parallel()
	p, err := startProcess(t.Context(), nil, "/bin/sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // until the trap is set; sooner, the signal itself is the error
	if err := p.terminate(t.Context()); err == nil || !strings.Contains(err.Error(), "/bin/sh") {
		t.Errorf("terminated with %v", err)
	}
	stopped := make(chan struct{})
	go func() {
		p.stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Fatal("the stop waits for what has ended")
	}
}
