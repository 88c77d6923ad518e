package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// attempts bounds how often a write that lost, and by a fresh read would win now, is
// tried again before the caller is told to come back.
const attempts = 7

// pause lets whoever holds what an attempt missed get done, a little longer before
// each next one, and not in step with others who wait for the same.
func pause(ctx context.Context, attempt int) {
	longest := 2 * time.Millisecond << attempt
	select {
	case <-ctx.Done():
	case <-time.After(longest/2 + rand.N(longest/2)):
	}
}

// errAgain: lost, but by the fresh read the write would win now.
var errAgain = errors.New("would win now")
