package api

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"waybill/db"
)

// followed returns a follower of a tenant whose watch never polls.
func followed(t *testing.T) follower {
	w := newEventWatch(nil, eventWatchTimeout)
	w.find = func(context.Context, map[uuid.UUID]uint64) (eventLook, error) {
		return eventLook{}, errors.New("no database")
	}
	f, _ := w.follow(uuid.New(), horizonAt(7))
	t.Cleanup(f.leave)
	return f
}

func TestStreamsAtOnePlaceReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := followed(t)
		here := place{db.UserRoleAdmin, position{"h", 7, 1}, 9}
		var reads atomic.Int64
		answer := make(chan struct{})
		read := func(context.Context) (eventPage, error) {
			reads.Add(1)
			<-answer
			return eventPage{text: []byte("events"), next: position{history: "h", xid: 9}, more: true}, nil
		}
		var streams sync.WaitGroup
		for range 60 {
			streams.Go(func() {
				if p, err := f.readShared(t.Context(), here,
					read); err != nil || string(p.text) != "events" || p.next.xid != 9 || !p.more {
					t.Errorf("%+v, %v", p, err)
				}
			})
		}
		synctest.Wait()
		close(answer)
		streams.Wait()
		if _, err := f.readShared(t.Context(), here, read); err != nil || reads.Load() != 1 {
			t.Errorf("read %d times, %v", reads.Load(), err)
		}
		for i, other := range []place{
			{db.UserRoleHub, here.after, here.horizon}, {here.role, position{"h", 7, 2}, here.horizon},
			{here.role, position{"h", 8, 1}, here.horizon},
			{here.role, here.after, 10},
		} {
			if _, err := f.readShared(t.Context(), other, read); err != nil || int(reads.Load()) != 2+i {
				t.Errorf("%+v shared another position's read: %d reads", other, reads.Load())
			}
		}
	})
}

// A reader whose client disconnects continues for the others; a waiting one does not have to.
func TestACanceledSharedReadDelaysNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := followed(t)
		answer := make(chan struct{})
		read := func(ctx context.Context) (eventPage, error) {
			select {
			case <-answer:
				return eventPage{text: []byte("events")}, nil
			case <-ctx.Done():
				return eventPage{}, ctx.Err()
			}
		}
		gone, goes := context.WithCancel(t.Context())
		got := make(chan error, 3)
		for _, ctx := range []context.Context{gone, gone, t.Context()} {
			go func() {
				_, err := f.readShared(ctx, place{}, read)
				got <- err
			}()
			synctest.Wait()
		}
		goes()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("a canceled reader: %v", err)
		}
		close(answer)
		for range 2 {
			if err := <-got; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAReadThatFailsIsNotKept(t *testing.T) {
	t.Parallel()
	f := followed(t)
	broken := errors.New("no database")
	if _, err := f.readShared(t.Context(), place{},
		func(context.Context) (eventPage, error) { return eventPage{}, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	func() {
		defer func() { recover() }()
		f.readShared(t.Context(), place{}, func(context.Context) (eventPage, error) { panic("on purpose") })
	}()
	read := func(context.Context) (eventPage, error) { return eventPage{text: []byte("events")}, nil }
	for i := range uint64(3 * pagesKept) {
		if p, err := f.readShared(t.Context(), place{horizon: i}, read); err != nil || string(p.text) != "events" {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if n := len(f.tenant.pages); n != pagesKept {
		t.Errorf("%d pages are cached", n)
	}
}

// A stream that passes over the events of others reads them in few statements, and the page with its next
// events is as small as any afterwards.
func TestAStreamReadsMoreWhileItShowsNothing(t *testing.T) {
	t.Parallel()
	nothing, something := eventPage{more: true, skipped: true}, eventPage{text: []byte("id: 1-1"), more: true}
	window := int32(0)
	for i, want := range []int32{2 * streamPage, 4 * streamPage, 8 * streamPage, streamWindow, streamWindow} {
		if window = nothing.nextWindow(window); window != want {
			t.Errorf("after %d pages without an event, the next read has %d events, want %d", i+1, window, want)
		}
	}
	for name, page := range map[string]eventPage{"an event": something, "the last page": {}} {
		if got := page.nextWindow(window); got != streamPage {
			t.Errorf("after %s, the next read has %d events, want %d", name, got, streamPage)
		}
	}
}
