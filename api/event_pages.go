package api

import (
	"context"
	"errors"
	"slices"

	"waybill/db"
)

// place is where a stream reads on, up to a horizon. Whatever lies between is there for
// good: all whose role is told the same read the same.
type place struct {
	role    db.UserRole
	after   position
	horizon uint64
}

// eventPage is what is read at a place: the next events, as text, the position after them,
// and whether there are more.
type eventPage struct {
	text []byte
	next position
	more bool
}

type sharedPage struct {
	of   place
	done chan struct{} // closed when it is read
	page eventPage
	err  error
}

// pagesKept are so many that streams which are not quite in step still meet.
const pagesKept = 8

var errUnread = errors.New("the events were not read")

// together reads for all streams of the tenant that come to one place: the first of them
// reads, even when its client goes away, the others wait for it. A failure is theirs too,
// and is not kept.
func (f follower) together(
	ctx context.Context, of place, read func(context.Context) (eventPage, error),
) (eventPage, error) {
	s, isFirst := f.shared(of)
	if isFirst {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventWatchTimeout)
		defer cancel()
		defer f.settle(s)
		s.page, s.err = read(ctx)
		return s.page, s.err
	}
	select {
	case <-s.done:
		return s.page, s.err
	case <-ctx.Done():
		return eventPage{}, ctx.Err()
	}
}

func (f follower) shared(of place) (s *sharedPage, isFirst bool) {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	t := f.tenant
	if i := slices.IndexFunc(t.pages, func(s *sharedPage) bool { return s.of == of }); i >= 0 {
		return t.pages[i], false
	}
	if len(t.pages) == pagesKept {
		t.pages = slices.Delete(t.pages, 0, 1) // whoever waits for it has it in hand
	}
	s = &sharedPage{of: of, done: make(chan struct{}), err: errUnread}
	t.pages = append(t.pages, s)
	return s, true
}

// settle comes after the read, also after a panic in it.
func (f follower) settle(s *sharedPage) {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	if s.err != nil {
		f.tenant.pages = slices.DeleteFunc(f.tenant.pages, func(other *sharedPage) bool { return other == s })
	}
	close(s.done)
}
