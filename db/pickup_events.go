package db

import "context"

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

// StreamPickupEvents reads the next MaxRows events of the tenant after a position and below a horizon, and
// returns those that the viewer sees. A page without any may be followed by more.
func (s *Store) StreamPickupEvents(ctx context.Context, p StreamPickupEventsParams) (EventPage, error) {
	rows, err := s.q.StreamPickupEvents(ctx, p)
	if err != nil {
		return EventPage{}, err
	}
	page := EventPage{IsLast: true}
	for _, r := range rows {
		if r.Seen {
			page.Events = append(page.Events, r.event())
		}
		page.LastXid, page.LastSeq, page.IsLast = r.Xid, r.Seq, r.PageRows < int64(p.MaxRows)
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
	}
}
