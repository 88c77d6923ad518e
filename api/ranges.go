package api

import (
	"time"

	"waybill/db"
)

// TimeRange filters a list by the time that it is about. Zero means not sent.
type TimeRange struct {
	From Time `query:"from" doc:"Only what is at or after this time" example:"2030-01-01T00:00:00Z"`
	To   Time `query:"to" doc:"Only what is before this time" example:"2030-01-02T00:00:00Z"`
}

// check refuses an empty range.
func (r TimeRange) check() []error { return checkRange("from", r.From, "to", r.To) }

// until returns the end of the range: the end of time if none was sent.
func (r TimeRange) until() time.Time { return untilOr(r.To) }

// sentTime returns a time that was sent, or nil.
func sentTime(t Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t.Time
}

func untilOr(to Time) time.Time {
	if to.IsZero() {
		return endOfTime
	}
	return to.Time
}

// checkRange refuses a range in which no time is: its end is named, and is not after its beginning. Where one of them
// was not sent there is nothing to refuse.
func checkRange(fromField string, from Time, toField string, to Time) []error {
	if from.IsZero() || to.IsZero() || from.Before(to.Time) {
		return nil
	}
	return []error{problem(db.ValidationFailed, toField, toField+" must be after "+fromField+".")}
}
