package gate

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Spent is how long a part of the gate took.
type Spent struct {
	Part string
	Time time.Duration
}

// clock notes how long the parts of the gate take. A nil clock notes nothing.
type clock struct {
	mu    sync.Mutex
	spent []Spent
}

// begin begins a part, which ends when the function that it returns is called. A part that is tried again counts once.
func (c *clock) begin(part string) (end func()) {
	if c == nil {
		return func() {}
	}
	began := time.Now()
	return func() {
		took := time.Since(began)
		c.mu.Lock()
		defer c.mu.Unlock()
		for i := range c.spent {
			if c.spent[i].Part == part {
				c.spent[i].Time += took
				return
			}
		}
		c.spent = append(c.spent, Spent{part, took})
	}
}

// spentText tells people what took how long.
func spentText(all []Spent) string {
	parts := make([]string, len(all))
	for i, s := range all {
		parts[i] = fmt.Sprintf("%s %.1f s", s.Part, s.Time.Seconds())
	}
	return strings.Join(parts, ", ")
}
