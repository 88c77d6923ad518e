package api_test

import (
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// feeding has the tenant's staff sync records, and waits until a transaction, which it names,
// applies them.
func (s *server) feeding(records []object) (transaction string, done <-chan *answer) {
	s.t.Helper()
	ended := make(chan *answer, 1)
	go func() { ended <- s.feed(s.staff, records) }()
	s.until("a feed is applied", func() bool { transaction = s.feedUnderWay(); return transaction != "" })
	return transaction, ended
}

// feedUnderWay returns the transaction that writes appointments and has an id, "" for none.
func (s *server) feedUnderWay() string {
	return scan[string](s, `
		SELECT coalesce(min(w.virtualtransaction), '')
		FROM pg_locks AS w
		JOIN pg_locks AS x USING (virtualtransaction)
		WHERE w.relation = 'appointments'::regclass AND w.mode = 'RowExclusiveLock'
			AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock'`)
}

func records(n int) []object {
	all := make([]object, n)
	for i := range all {
		all[i] = newRecord(i)
	}
	return all
}

// tellsBesideFeed makes transitions of pickups of two tenants, and expects the events in their streams.
func (s *server) tellsBesideFeed(ofTenant, ofForeign *stream) {
	s.t.Helper()
	for t, st := range map[*tenant]*stream{s.tenant: ofTenant, s.foreign: ofForeign} {
		id := s.pickupIn(t, db.PickupStatusSUBMITTED, t.facility, uuid.Nil)
		if e := st.transition(); e.data["pickup_id"] != id.String() {
			s.t.Errorf("got the event %v", e)
		}
	}
}

// A feed that has written much, and waits for another lock, delays no stream: neither its tenant's nor
// another's.
func TestStreamsDeliverDuringAFeed(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	url := s.listen()
	ofTenant, ofForeign := follow(t, url, s.dispatcher, ""), follow(t, url, s.foreign.dispatcher, "")
	s.feed(s.staff, records(20)).want(200)
	holder, err := s.base.Owner().Begin(t.Context())
	s.must(err)
	defer holder.Rollback(t.Context())
	_, err = holder.Exec(t.Context(), "SELECT FROM patients WHERE tenant_id = $1 FOR UPDATE", s.tenant.id)
	s.must(err)
	changed := records(20)
	for _, r := range changed {
		r["patient"].(object)["family_name"] = canary + "-Doe"
	}
	_, ended := s.feeding(changed)
	for range 3 {
		s.tellsBesideFeed(ofTenant, ofForeign)
	}
	select {
	case a := <-ended:
		t.Fatalf("the feed did not wait: %s", a)
	default:
	}
	s.must(holder.Rollback(t.Context()))
	(<-ended).want(200)
}

// At full size: events are sent while one transaction applies the records.
func TestStreamsDeliverDuringAFeedOfTwentyThousandRecords(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "a long feed")
	s := start(t, roomy)
	url := s.listen()
	transaction, ended := s.feeding(records(20_000))
	ofTenant, ofForeign := follow(t, url, s.dispatcher, ""), follow(t, url, s.foreign.dispatcher, "")
	delivered := 0
	for delivered < 20 && s.feedUnderWay() == transaction {
		s.tellsBesideFeed(ofTenant, ofForeign)
		if s.feedUnderWay() == transaction {
			delivered++
		}
	}
	(<-ended).want(200)
	t.Logf("%d times while the feed was applied", delivered)
	if delivered < 2 {
		t.Errorf("events arrived %d times while the feed was applied", delivered)
	}
}
