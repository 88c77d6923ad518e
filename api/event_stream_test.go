package api

import (
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
			at: position{xid: 9}, horizon: 9, sent: time.Now(),
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
		tell("event: checkpoint\nid: 9-0\ndata: {}\n\n")
		time.Sleep(heartbeatInterval + 1)
		tell(": still here\n")
	})
}
