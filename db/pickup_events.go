package db

import (
	"context"
	"strconv"

	"github.com/google/uuid"
)

// historyEnded is the SQLSTATE with which require_event_history ends a statement.
const historyEnded = "WB005"

// StreamHorizon says up to where the event stream can be sent, and in which history. See GetStreamHorizon.
type StreamHorizon struct {
	History  string // opaque, and part of the ids of events
	FirstSeq int64  // the events of the history have greater numbers
	Sendable uint64 // all transactions that wrote an event below it have ended
	Newest   uint64 // the horizon if no transaction were running

	// Recovery is the crash from which the server has recovered last. After another one it gives out transaction ids
	// once more, of which nothing had reached its disk: the horizon says nothing any more.
	Recovery string
}

// StreamPosition is the position of an event in the stream; the zero value is before all events.
type StreamPosition struct {
	Xid uint64
	Seq int64
}

// StreamHorizon reads the horizon of the stream, and begins the history if the server has just begun to write
// another one.
func (s *Store) StreamHorizon(ctx context.Context) (h StreamHorizon, err error) {
	row, err := s.q.GetStreamHorizon(ctx)
	if err == nil && row.History == "" {
		if err = s.BeginEventHistory(ctx); err == nil {
			row, err = s.q.GetStreamHorizon(ctx)
		}
	}
	if err != nil {
		return h, err
	}
	h.History, h.FirstSeq, h.Recovery = row.History, row.FirstSeq, row.Recovery
	if h.Sendable, err = strconv.ParseUint(row.Xid, 10, 64); err != nil {
		return h, err
	}
	h.Newest, err = strconv.ParseUint(row.NewestXid, 10, 64)
	return h, err
}

// LastStreamEvent returns the position of the tenant's last event below a horizon, which was read before. A client
// may keep it: unlike the horizon, it holds after a crash.
func (s *Store) LastStreamEvent(
	ctx context.Context, tenant uuid.UUID, h StreamHorizon,
) (last StreamPosition, err error) {
	row, err := s.q.GetLastStreamEvent(ctx, GetLastStreamEventParams{
		TenantID: tenant, Horizon: strconv.FormatUint(h.Sendable, 10), FirstSeq: h.FirstSeq})
	if NoRow(err) {
		return last, nil
	}
	return StreamPosition(row), err
}

// BeginEventHistory records which history of events the server writes, unless it is known. After a restore it
// looks at all events once.
func (s *Store) BeginEventHistory(ctx context.Context) error {
	return s.q.BeginEventHistory(confirmedWith(ctx, func(c *confirmation) { c.untimed = true }))
}

// inHistory returns a context whose statements fail with StreamRestarted in another history, and after another
// recovery from a crash, if that is not "".
func inHistory(ctx context.Context, history, recovery string) context.Context {
	return confirmedWith(ctx, func(c *confirmation) { c.history, c.recovery = history, recovery })
}

// ListPickupEvents lists events of a pickup, and returns the history in which their versions are to be
// understood. If after is not "", AfterVersion is one of that history: StreamRestarted if it has ended.
func (s *Store) ListPickupEvents(
	ctx context.Context, after string, p ListPickupEventsParams,
) (events []PickupEvent, history string, err error) {
	if after != "" {
		ctx = inHistory(ctx, after, "")
	}
	rows, err := s.q.ListPickupEvents(ctx, p)
	if err == nil && len(rows) > 0 && rows[0].History == "" {
		if err = s.BeginEventHistory(ctx); err == nil {
			rows, err = s.q.ListPickupEvents(ctx, p)
		}
	}
	if err != nil {
		return nil, "", err
	}
	events = make([]PickupEvent, 0, len(rows))
	for _, r := range rows {
		events, history = append(events, r.PickupEvent), r.History
	}
	return events, history, nil
}

// EventPage is the result of one read of the event stream.
type EventPage struct {
	Events []PickupEvent // that the viewer sees, in the stream's order

	// The position of the last event that was looked at, seen by the viewer or not: where to continue.
	// Zero if there was none.
	LastXid uint64
	LastSeq int64

	// IsLast reports that there is no further event below the horizon.
	IsLast bool
}

// StreamPickupEvents reads the next events of the tenant, or of the viewer's facilities, after a position and below
// a horizon, about MaxRows, and returns those that the viewer sees. A page without any may be followed by more.
// It returns StreamRestarted if the server does not write this history any more, or has recovered from another crash
// than that of the horizon; with "", whatever it has recovered from.
func (s *Store) StreamPickupEvents(
	ctx context.Context, history, recovery string, p StreamPickupEventsParams,
) (EventPage, error) {
	rows, err := s.q.StreamPickupEvents(inHistory(ctx, history, recovery), p)
	if err != nil {
		return EventPage{}, err
	}
	page := EventPage{IsLast: true}
	for _, r := range rows {
		if r.Seen {
			page.Events = append(page.Events, r.event())
		}
		page.LastXid, page.LastSeq, page.IsLast = r.Xid, r.Seq, !r.More
	}
	return page, nil
}

// event returns the row of pickup_events in a row of StreamPickupEvents.
func (r StreamPickupEventsRow) event() PickupEvent {
	return PickupEvent{
		TenantID:       r.TenantID,
		ID:             r.ID,
		PickupID:       r.PickupID,
		Version:        r.Version,
		Transition:     r.Transition,
		ActorID:        r.ActorID,
		FromStatus:     r.FromStatus,
		ToStatus:       r.ToStatus,
		DriverID:       r.DriverID,
		IdempotencyKey: r.IdempotencyKey,
		RequestDigest:  r.RequestDigest,
		CreatedAt:      r.CreatedAt,
		Xid:            r.Xid,
		Seq:            r.Seq,
		FacilityID:     r.FacilityID,
	}
}
