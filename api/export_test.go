package api

import (
	"context"
	"strings"
)

// ReadFeed reads a body whose first record is not the feed's first, but the one at that
// position. It gives how many were right before what is wrong.
func ReadFeed(body string, lines bool, at int) (right int, err error) {
	r := newFeedReader(strings.NewReader(body), lines)
	r.at = at
	for _, err := range r.records {
		if err != nil {
			return right, err
		}
		right++
	}
	return right, nil
}

// ParseTime is parseTime.
var ParseTime = parseTime

// TakeHashSlots takes the slots for password hashes, as a machine would that hashes for ever, until the
// function that it returns is called.
func (a *API) TakeHashSlots() (release func()) {
	p := a.server.passwords
	var held []func()
	for range p.slots {
		release, err := p.turns.take(context.Background(), caller{"a test", ""})
		if err != nil {
			panic(err)
		}
		held = append(held, release)
	}
	return func() {
		for _, release := range held {
			release()
		}
	}
}

// WaitingForHashes returns how many callers wait for a slot.
func (a *API) WaitingForHashes() int {
	t := a.server.passwords.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}
