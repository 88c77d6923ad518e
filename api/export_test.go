package api

import (
	"context"
	"errors"
	"io"
	"strings"

	"waybill/db"
)

// ReadFeed reads a body whose first record has the given position in the feed. It returns the number of
// valid records before an error.
func ReadFeed(body string, lines bool, at int) (right int, err error) {
	return ReadFeedFrom(strings.NewReader(body), lines, at)
}

// ReadFeedFrom is ReadFeed of a body that is not in memory.
func ReadFeedFrom(body io.Reader, lines bool, at int) (right int, err error) {
	r := newFeedReader(body, lines)
	r.at = at
	for _, err := range r.records {
		if fault, ok := errors.AsType[*db.FeedFault](err); ok {
			return right, invalidRecords([]db.FeedFault{*fault})
		}
		right++
	}
	return right, nil
}

// ParseTime is parseTime.
var ParseTime = parseTime

// TakeHashSlots takes all slots for password hashes, like endless hashing would, until the returned
// function is called.
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
