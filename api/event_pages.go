package api

import (
	"context"
	"errors"
	"slices"

	"waybill/db"
)

// place is a range of the stream: from a position up to a horizon. Its content never changes, so all
// streams whose role sees the same events share it.
type place struct {
	role    db.UserRole
	after   position
	horizon uint64
}

// eventPage is the result of reading a place: the next events that the viewer sees as text, the position
// after all events read, the last event that was looked at, if any, whether there may be more, and whether events of
// other viewers were skipped after the last one of the text.
type eventPage struct {
	text    []byte
	next    position
	last    position
	more    bool
	skipped bool
}

// nextWindow returns how many events the read after this page looks at: twice as many while nothing is shown,
// so that a stream that resumes far back soon has passed over the events of others.
func (p eventPage) nextWindow(window int32) int32 {
	if len(p.text) > 0 || !p.more {
		return streamPage
	}
	return min(2*max(window, streamPage), streamWindow)
}

type sharedPage struct {
	of   place
	done chan struct{} // closed when it has been read
	page eventPage
	err  error
}

// pagesKept is enough for streams that are slightly out of step to share pages.
const pagesKept = 8

var errUnread = errors.New("the events were not read")

// readShared reads a page once for all streams of the tenant that reach the same place: the first stream
// reads, even if its client disconnects, and the others wait for it. They share an error too, which is
// not cached.
func (f follower) readShared(
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
		t.pages = slices.Delete(t.pages, 0, 1) // waiting streams hold the page themselves
	}
	s = &sharedPage{of: of, done: make(chan struct{}), err: errUnread}
	t.pages = append(t.pages, s)
	return s, true
}

// settle records the result, even after a panic.
func (f follower) settle(s *sharedPage) {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	if s.err != nil {
		f.tenant.pages = slices.DeleteFunc(f.tenant.pages, func(other *sharedPage) bool { return other == s })
	}
	close(s.done)
}
