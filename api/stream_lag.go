package api

import "time"

// streamLag measures how far the stream is behind: each look tells how far events can be
// told, and how far they could be if nobody were writing any.
type streamLag struct {
	caughtUp time.Time // all that was committed by then has been found
	open     []sighting
}

// sighting is of a place that could not be told yet when it was the newest.
type sighting struct {
	newest uint64
	at     time.Time
}

// mostSightings are remembered, beyond that every other one.
const mostSightings = 256

// saw takes in a look that began at a time.
func (l *streamLag) saw(at time.Time, h eventHorizon) {
	l.open = append(l.open, sighting{h.newest, at})
	told := 0
	for told < len(l.open) && l.open[told].newest <= h.told {
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
