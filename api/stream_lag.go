package api

import (
	"time"

	"waybill/db"
)

// streamLag measures the lag of the stream: each poll reports the horizon up to which events can be
// sent, and the horizon if no transaction were running.
type streamLag struct {
	caughtUp time.Time // everything committed by then has been found
	open     []sighting
}

// sighting is a newest horizon that could not be reached yet when it was seen.
type sighting struct {
	newest uint64
	at     time.Time
}

// mostSightings bounds the history; beyond it every other sighting is dropped.
const mostSightings = 256

// saw records a poll that started at a time.
func (l *streamLag) saw(at time.Time, h db.StreamHorizon) {
	l.open = append(l.open, sighting{h.Newest, at})
	told := 0
	for told < len(l.open) && l.open[told].newest <= h.Sendable {
		l.caughtUp = l.open[told].at
		told++
	}
	l.open = append(l.open[:0], l.open[told:]...)
	if len(l.open) > mostSightings {
		for i := range len(l.open) / 2 {
			l.open[i] = l.open[2*i]
		}
		l.open = l.open[:len(l.open)/2]
	}
}
