package api

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// looks stands where the watch asks the database: the test sees each question, and says
// when and what is answered.
type looks struct {
	asked    chan map[uuid.UUID]string // since which horizon
	answered chan db.FindTenantsWithNewEventsRow
}

func watched(every time.Duration) (*eventWatch, looks) {
	l := looks{make(chan map[uuid.UUID]string), make(chan db.FindTenantsWithNewEventsRow)}
	w := newEventWatch(nil, every)
	w.find = func(_ context.Context, about db.FindTenantsWithNewEventsParams) (db.FindTenantsWithNewEventsRow, error) {
		since := map[uuid.UUID]string{}
		for i, id := range about.TenantIds {
			since[id] = about.SinceXids[i]
		}
		l.asked <- since
		row := <-l.answered
		if row.Horizon == "" {
			return row, errors.New("no database")
		}
		return row, nil
	}
	return w, l
}

func (l looks) answer(horizon uint64, tenants ...uuid.UUID) {
	l.answered <- db.FindTenantsWithNewEventsRow{Horizon: strconv.FormatUint(horizon, 10), TenantIds: tenants}
	synctest.Wait()
}

func (l looks) fail() {
	l.answered <- db.FindTenantsWithNewEventsRow{}
	synctest.Wait()
}

func (l looks) want(t *testing.T, want map[uuid.UUID]string) {
	t.Helper()
	if got := <-l.asked; !maps.Equal(got, want) {
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

func TestOneLookIsForAllStreamsAndWakesThoseOfItsTenants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(100 * time.Millisecond)
		here, there := uuid.New(), uuid.New()
		var followers []follower
		var news []<-chan struct{}
		for i := range 100 {
			f := w.follow([]uuid.UUID{here, there}[i%2], 7)
			n, _ := f.news()
			followers, news = append(followers, f), append(news, n)
		}
		begin := time.Now()
		l.want(t, map[uuid.UUID]string{here: "7", there: "7"})
		l.answer(9)
		l.want(t, map[uuid.UUID]string{here: "9", there: "9"})
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

// What is committed while a stream comes is told: by the stream's own first look, or by
// the watch's next.
func TestWhoComesDuringALookMissesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Millisecond)
		early, late, back := uuid.New(), uuid.New(), uuid.New()
		defer w.follow(early, 7).leave()
		left := w.follow(back, 7)
		l.want(t, map[uuid.UUID]string{early: "7", back: "7"})
		// While it is on its way:
		left.leave()
		again := w.follow(back, 8)
		defer again.leave()
		came := w.follow(late, 8)
		defer came.leave()
		other := w.follow(early, 8)
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
		l.want(t, map[uuid.UUID]string{early: "20", back: "8", late: "8"})
		l.answer(21, back, late)
		if !isWoken(news[1]) || !isWoken(news[2]) {
			t.Error("an event of between is not told")
		}
	})
}

func TestALookThatFailsIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, l := watched(time.Millisecond)
		tenant := uuid.New()
		f := w.follow(tenant, 7)
		news, _ := f.news()
		for range 3 {
			l.want(t, map[uuid.UUID]string{tenant: "7"})
			l.fail()
		}
		l.want(t, map[uuid.UUID]string{tenant: "7"})
		l.answer(9, tenant)
		if !isWoken(news) {
			t.Error("not woken after a failure")
		}
		f.leave()
		// And whoever comes when all have left is looked for again.
		defer w.follow(tenant, 30).leave()
		l.want(t, map[uuid.UUID]string{tenant: "30"})
		l.answer(31)
	})
}
