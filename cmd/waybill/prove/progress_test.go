package prove

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// written collects what is written, a piece at a time.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// One line is written over on a terminal, and nowhere else: a log has whole lines.
func TestProgressGoesOverOneLineOfATerminalAlone(t *testing.T) {
	for redraw, want := range map[bool]string{
		true:  strings.Repeat("\rhalf", 25) + "\rhalf\n",
		false: strings.Repeat("half\n", 3),
	} {
		synctest.Test(t, func(t *testing.T) {
			var out written
			trial := &trial{world: &world{Options: Options{Progress: &out, Redraw: redraw}}}
			stop := trial.progress(func() string { return "half" })
			time.Sleep(25*time.Second + time.Millisecond)
			stop()
			if out.text.String() != want {
				t.Errorf("redraw %v: %q", redraw, out.text.String())
			}
		})
	}
}
