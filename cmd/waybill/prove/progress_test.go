package prove

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// written records each write separately.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// Only on a terminal one line is redrawn: a log has complete lines.
func TestProgressGoesOverOneLineOfATerminalAlone(t *testing.T) {
	for redraw, want := range map[bool]string{
		true:  strings.Repeat("\rhalf", 25) + "\rhalf\n",
		false: strings.Repeat("half\n", 3),
	} {
		synctest.Test(t, func(t *testing.T) {
			var out written
			trial := &trial{fixture: &fixture{Options: Options{Progress: &out, Redraw: redraw}}}
			stop := trial.progress(func() string { return "half" })
			time.Sleep(25*time.Second + time.Millisecond)
			stop()
			if out.text.String() != want {
				t.Errorf("redraw %v: %q", redraw, out.text.String())
			}
		})
	}
}
