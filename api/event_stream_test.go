package api

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waybill/db"
)

// A heartbeat is a comment, and no event: parsers deliver an event with an id, or a blank line, as an
// empty message. If events of other viewers were skipped it is a checkpoint.
func TestSignsOfLifeAreComments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		s := &eventStream{
			viewer: db.Viewer{Role: db.UserRoleStaff}, events: followed(t),
			at: position{history: "h", xid: 9}, told: position{"h", 8, 3}, horizon: 9, sent: time.Now(),
			write: func(text []byte) error { sent = append(sent, string(text)); return nil },
		}
		tell := func(want ...string) {
			t.Helper()
			sent = nil
			if more, err := s.sendNext(t.Context()); more || err != nil {
				t.Error(more, err)
			}
			if got := strings.Join(sent, ""); got != strings.Join(want, "") {
				t.Errorf("sends %q, want %q", got, want)
			}
		}
		tell()
		time.Sleep(heartbeatInterval + 1)
		tell(": still here\n")
		tell()
		s.skipped = true
		tell()
		time.Sleep(heartbeatInterval + 1)
		tell("event: checkpoint\nid: h-8-3\ndata: {}\n\n")
		time.Sleep(heartbeatInterval + 1)
		tell(": still here\n")
	})
}

// A page without an event for the viewer makes progress as well, and says that events were skipped, so that
// a client resumes behind them.
func TestAPageContinuesAfterEveryScannedEvent(t *testing.T) {
	t.Parallel()
	seen := db.PickupEvent{Xid: 5, Seq: 7, Transition: db.TransitionNameSubmit}
	end, none := position{history: "h", xid: 9}, position{}
	for name, c := range map[string]struct {
		page       db.EventPage
		next, last position
		more       bool
		skipped    bool
	}{
		"nothing there": {db.EventPage{IsLast: true}, end, none, false, false},
		"all seen": {db.EventPage{Events: []db.PickupEvent{seen}, LastXid: 5, LastSeq: 7, IsLast: true},
			end, position{"h", 5, 7}, false, false},
		"others' after it": {db.EventPage{Events: []db.PickupEvent{seen}, LastXid: 6, LastSeq: 1, IsLast: true},
			end, position{"h", 6, 1}, false, true},
		"only others'": {db.EventPage{LastXid: 6, LastSeq: 1, IsLast: true},
			end, position{"h", 6, 1}, false, true},
		"a full page of others'": {db.EventPage{LastXid: 6, LastSeq: 1}, position{"h", 6, 1}, position{"h", 6, 1},
			true, true},
		"a full page, all seen": {db.EventPage{Events: []db.PickupEvent{seen}, LastXid: 5, LastSeq: 7},
			position{"h", 5, 7}, position{"h", 5, 7}, true, false},
	} {
		got, err := pageAsText(c.page, position{"h", 1, 2}, 9)
		if err != nil || got.next != c.next || got.last != c.last || got.more != c.more || got.skipped != c.skipped ||
			strings.Contains(string(got.text), "id: h-5-7\n") != (len(c.page.Events) > 0) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// A stream that skips events while it catches up sends a checkpoint with the next heartbeat.
func TestASkippedPageMakesTheNextHeartbeatACheckpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent string
		s := &eventStream{
			viewer: db.Viewer{Role: db.UserRoleDispatcher}, events: followed(t), at: position{"h", 1, 2}, horizon: 9,
			sent:  time.Now().Add(-2 * heartbeatInterval),
			write: func(text []byte) error { sent += string(text); return nil },
		}
		_, err := s.events.readShared(t.Context(), place{db.UserRoleDispatcher, s.at, s.horizon},
			func(context.Context) (eventPage, error) {
				return eventPage{next: position{"h", 6, 1}, last: position{"h", 6, 1}, more: true, skipped: true}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
		if more, err := s.sendNext(t.Context()); !more || err != nil || s.at != (position{"h", 6, 1}) {
			t.Error(more, err, s.at)
		}
		if sent != "event: checkpoint\nid: h-6-1\ndata: {}\n\n" {
			t.Errorf("sends %q", sent)
		}
	})
}
