package api

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// looks replaces the database of a watch: the test sees each query, and decides when and what it
// returns.
type looks struct {
	queries  chan map[uuid.UUID]uint64 // since which horizon
	answered chan eventLook            // without a horizon: an error
}

// horizonAt returns a horizon that no transaction holds back.
func horizonAt(xid uint64) db.StreamHorizon {
	return db.StreamHorizon{History: "h", Sendable: xid, Newest: xid}
}

func watched(every time.Duration) (*eventWatch, looks) {
	l := looks{make(chan map[uuid.UUID]uint64), make(chan eventLook)}
	w := newEventWatch(nil, every)
	w.find = func(_ context.Context, since map[uuid.UUID]uint64) (eventLook, error) {
		l.queries <- since
		look := <-l.answered
		if look.Sendable == 0 {
			return look, errors.New("no database")
		}
		return look, nil
	}
	return w, l
}

func (l looks) answer(horizon uint64, tenants ...uuid.UUID) {
	l.answered <- eventLook{horizonAt(horizon), tenants}
	synctest.Wait()
}

// answerLate answers as while a transaction is running.
func (l looks) answerLate(horizon, newest uint64) {
	l.answered <- eventLook{db.StreamHorizon{History: "h", Sendable: horizon, Newest: newest}, nil}
	synctest.Wait()
}

func (l looks) fail() {
	l.answered <- eventLook{}
	synctest.Wait()
}

func (l looks) want(t *testing.T, want map[uuid.UUID]uint64) {
	t.Helper()
	if got := <-l.queries; !maps.Equal(got, want) {
		t.Errorf("looks for %v, want %v", got, want)
	}
}

func isWoken(news <-chan struct{}) bool {
	select {
	case <-news:
		return true
	default:
		return false
	}
}

func TestOnePollServesAllStreamsAndWakesThoseOfItsTenants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(100 * time.Millisecond)
		here, there := uuid.New(), uuid.New()
		var followers []follower
		var news []<-chan struct{}
		for i := range 100 {
			f, _ := w.follow([]uuid.UUID{here, there}[i%2], horizonAt(7))
			n, _ := f.news()
			followers, news = append(followers, f), append(news, n)
		}
		begin := time.Now()
		l.want(t, map[uuid.UUID]uint64{here: 7, there: 7})
		l.answer(9)
		l.want(t, map[uuid.UUID]uint64{here: 9, there: 9})
		l.answer(12, there)
		if took := time.Since(begin); took != 200*time.Millisecond {
			t.Errorf("two looks took %v", took)
		}
		for i, n := range news {
			if isWoken(n) != (i%2 == 1) {
				t.Errorf("stream %d: woken %t", i, isWoken(n))
				break
			}
		}
		if n, horizon := followers[1].news(); isWoken(n) || horizon != 12 {
			t.Errorf("woken twice by one event: %t; its horizon is %d", isWoken(n), horizon)
		}
		for _, f := range followers {
			f.leave()
		}
		time.Sleep(time.Second) // a look now would stay without an answer, which synctest reports
	})
}

// An event committed while a stream starts is sent: found by the stream's own first poll, or by the
// watch's next.
func TestAStreamOpenedDuringAPollMissesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Millisecond)
		early, late, back := uuid.New(), uuid.New(), uuid.New()
		first, _ := w.follow(early, horizonAt(7))
		defer first.leave()
		left, _ := w.follow(back, horizonAt(7))
		l.want(t, map[uuid.UUID]uint64{early: 7, back: 7})
		// While it is on its way:
		left.leave()
		again, _ := w.follow(back, horizonAt(8))
		defer again.leave()
		came, _ := w.follow(late, horizonAt(8))
		defer came.leave()
		other, _ := w.follow(early, horizonAt(8))
		defer other.leave()
		var news []<-chan struct{}
		for _, f := range []follower{other, again, came} {
			n, _ := f.news()
			news = append(news, n)
		}
		l.answer(20, early, back)
		if !isWoken(news[0]) || isWoken(news[1]) || isWoken(news[2]) {
			t.Errorf("woken: %t %t %t", isWoken(news[0]), isWoken(news[1]), isWoken(news[2]))
		}
		l.want(t, map[uuid.UUID]uint64{early: 20, back: 8, late: 8})
		l.answer(21, back, late)
		if !isWoken(news[1]) || !isWoken(news[2]) {
			t.Error("an event committed between two polls is not delivered")
		}
	})
}

func TestAFailedPollIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Millisecond)
		tenant := uuid.New()
		f, _ := w.follow(tenant, horizonAt(7))
		news, _ := f.news()
		for range 3 {
			l.want(t, map[uuid.UUID]uint64{tenant: 7})
			l.fail()
		}
		l.want(t, map[uuid.UUID]uint64{tenant: 7})
		l.answer(9, tenant)
		if !isWoken(news) {
			t.Error("not woken after a failure")
		}
		f.leave()
		// A new follower after all have left is polled for again.
		f, _ = w.follow(tenant, horizonAt(30))
		defer f.leave()
		l.want(t, map[uuid.UUID]uint64{tenant: 30})
		l.answer(31)
	})
}

// A wake-up for followers before a stream starts does not wake it: it starts reading after it.
func TestAStreamIsNotWokenByAnEarlierWakeUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Millisecond)
		tenant := uuid.New()
		first, _ := w.follow(tenant, horizonAt(7))
		defer first.leave()
		l.want(t, map[uuid.UUID]uint64{tenant: 7})
		l.answer(20, tenant)
		second, from := w.follow(tenant, horizonAt(8)) // it read its horizon earlier, and subscribes only now
		defer second.leave()
		if from != 20 || second.horizon() != 20 {
			t.Errorf("reads up to %d, %d; events below 20 no longer wake a stream", from, second.horizon())
		}
		third, from := w.follow(tenant, horizonAt(25))
		defer third.leave()
		if from != 25 || first.horizon() != 25 {
			t.Errorf("reads up to %d, %d", from, first.horizon())
		}
		l.want(t, map[uuid.UUID]uint64{tenant: 20})
		l.answer(26)
	})
}

// A horizon that decreases, because of a writer that did not lock in time, is ignored.
func TestTheWatchNeverGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Millisecond)
		tenant := uuid.New()
		f, _ := w.follow(tenant, horizonAt(7))
		defer f.leave()
		l.want(t, map[uuid.UUID]uint64{tenant: 7})
		l.answer(20, tenant)
		l.want(t, map[uuid.UUID]uint64{tenant: 20})
		l.answer(15)
		l.want(t, map[uuid.UUID]uint64{tenant: 20})
		l.answer(22, tenant)
		if _, horizon := f.news(); horizon != 22 || f.horizon() != 22 {
			t.Errorf("delivered up to %d, %d", horizon, f.horizon())
		}
	})
}

func TestTheLagGrowsWhileEventsCannotBeDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Second)
		if w.behind() != 0 {
			t.Error("reports a lag without a stream")
		}
		tenant := uuid.New()
		f, _ := w.follow(tenant, horizonAt(7))
		want := map[uuid.UUID]uint64{tenant: 7}
		l.want(t, want)
		l.answer(7)
		for range 5 { // a transaction is running from 7 on, for 5 seconds
			l.want(t, want)
			l.answerLate(7, 9)
		}
		if got := w.behind(); got != 5*time.Second {
			t.Errorf("a lag of %v, want 5s", got)
		}
		for range 3 { // and then there is no database
			l.want(t, want)
			l.fail()
		}
		if got := w.behind(); got != 8*time.Second {
			t.Errorf("a lag of %v, want 8s", got)
		}
		l.want(t, want)
		l.answer(12)
		if got := w.behind(); got != 0 {
			t.Errorf("a lag of %v", got)
		}
		f.leave()
	})
}

// restart answers with a horizon of another history.
func (l looks) restart(horizon uint64) {
	l.answered <- eventLook{db.StreamHorizon{History: "other", Sendable: horizon, Newest: horizon}, nil}
	synctest.Wait()
}

// In another history transaction ids say something else, and may be smaller. All streams end, and those that
// come back are followed there.
func TestAnotherHistoryEndsAllStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Millisecond)
		here, there := uuid.New(), uuid.New()
		first, _ := w.follow(here, horizonAt(70))
		second, _ := w.follow(there, horizonAt(70))
		l.want(t, map[uuid.UUID]uint64{here: 70, there: 70})
		l.restart(9)
		for _, f := range []follower{first, second} {
			if !isWoken(f.over()) {
				t.Error("a stream goes on in another history")
			}
		}
		other := db.StreamHorizon{History: "other", Sendable: 11, Newest: 11}
		again, from := w.follow(here, other)
		first.leave() // only now
		if from != 11 || again.horizon() != 11 || isWoken(again.over()) {
			t.Errorf("follows from %d, horizon %d, over %t", from, again.horizon(), isWoken(again.over()))
		}
		l.want(t, map[uuid.UUID]uint64{here: 11})
		l.restart(12)
		if again.horizon() != 12 {
			t.Errorf("the horizon is %d", again.horizon())
		}
		// A stream may see it before the watch does.
		l.want(t, map[uuid.UUID]uint64{here: 12})
		third, _ := w.follow(there, horizonAt(80))
		if !isWoken(again.over()) || isWoken(third.over()) {
			t.Errorf("over: %t, %t", isWoken(again.over()), isWoken(third.over()))
		}
		l.restart(13) // a poll of the former history
		if isWoken(third.over()) || third.horizon() != 80 {
			t.Errorf("a poll of a former history: over %t, horizon %d", isWoken(third.over()), third.horizon())
		}
		// A server that has crashed gives out ids once more.
		l.want(t, map[uuid.UUID]uint64{there: 80})
		crashed := horizonAt(75)
		crashed.Recovery = "later"
		l.answered <- eventLook{crashed, nil}
		synctest.Wait()
		if !isWoken(third.over()) || third.horizon() != 75 {
			t.Errorf("after a crash: over %t, horizon %d", isWoken(third.over()), third.horizon())
		}
		second.leave()
		again.leave()
		third.leave()
		time.Sleep(time.Second) // a look now would stay without an answer, which synctest reports
	})
}

// foundEvents replaces the database.
type foundEvents struct {
	horizon db.StreamHorizon
	events  []db.FindNewEventsRow
	queries []string
}

func (f *foundEvents) StreamHorizon(context.Context) (db.StreamHorizon, error) {
	f.queries = append(f.queries, "horizon")
	return f.horizon, nil
}

func (f *foundEvents) FindNewEvents(_ context.Context, about db.FindNewEventsParams) ([]db.FindNewEventsRow, error) {
	f.queries = append(f.queries, "events")
	return f.events, nil
}

func (f *foundEvents) MoveStreamHorizon(context.Context) (string, error) {
	f.queries = append(f.queries, "move")
	return "", nil
}

// The events are read on a later snapshot than the horizon, or some would be skipped. An event beyond
// the last finished transaction is sent only after another one has finished.
func TestAPollReadsTheHorizonFirstAndMovesItWhenIdle(t *testing.T) {
	t.Parallel()
	tenant, beyond := uuid.New(), uuid.New()
	for _, c := range []struct {
		newest  uint64
		events  []db.FindNewEventsRow
		queries []string
		news    []uuid.UUID
	}{
		{10, nil, []string{"horizon", "events"}, nil},
		{10, []db.FindNewEventsRow{{TenantID: tenant, Xid: 9}}, []string{"horizon", "events"}, []uuid.UUID{tenant}},
		{12, []db.FindNewEventsRow{{TenantID: tenant, Xid: 10}}, []string{"horizon", "events"}, nil},
		{12, []db.FindNewEventsRow{{TenantID: tenant, Xid: 9}, {TenantID: beyond, Xid: 12}},
			[]string{"horizon", "events", "move"}, []uuid.UUID{tenant}},
		{10, []db.FindNewEventsRow{{TenantID: beyond, Xid: 10}, {TenantID: tenant, Xid: 8}},
			[]string{"horizon", "events", "move"}, []uuid.UUID{tenant}},
	} {
		in := &foundEvents{horizon: db.StreamHorizon{Sendable: 10, Newest: c.newest}, events: c.events}
		look, err := findEvents(t.Context(), in, map[uuid.UUID]uint64{tenant: 5, beyond: 5})
		if err != nil || !slices.Equal(in.queries, c.queries) || !slices.Equal(look.tenants,
			c.news) || look.Sendable != 10 {
			t.Errorf("%v: queried %v, found %v, %v", c.events, in.queries, look, err)
		}
	}
}
