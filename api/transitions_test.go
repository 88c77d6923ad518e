package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

func TestPickupLifecycle(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	steps := []struct {
		as         *user
		transition string
		body       any
		after      string
	}{
		{s.staff, "submit", nil, "SUBMITTED"},
		{s.dispatcher, "assign", object{"driver_id": s.driverID}, "ASSIGNED"},
		{s.dispatcher, "release", nil, "SUBMITTED"},
		{s.dispatcher, "dispatch", nil, "ASSIGNED"},
		{s.dispatcher, "release", nil, "SUBMITTED"},
		{s.dispatcher, "assign", object{"driver_id": s.driverID}, "ASSIGNED"},
		{s.tenant.driver, "collect", nil, "COLLECTED"},
		{s.hub, "receive", nil, "RECEIVED"},
		{s.hub, "pack", nil, "PACKED"},
		{s.hub, "ship", nil, "SHIPPED"},
		{s.tenant.driver, "deliver", nil, "DELIVERED"},
	}
	for i, step := range steps {
		a := s.do(step.as, "POST", path+"/"+step.transition, step.body).fresh(200)
		if a.str("status") != step.after || a.etag() != fmt.Sprintf(`"%d%s"`, i+2, tagOf[step.as.role]) {
			t.Fatalf("%s: %s, ETag %s", step.transition, a, a.etag())
		}
	}
	events := s.do(s.staff, "GET", path+"/events", nil).want(200).items()
	if len(events) != len(steps) {
		t.Fatalf("%d events", len(events))
	}
	before := "DRAFT"
	for i, e := range events {
		if e["transition"] != steps[i].transition || e["from_status"] != before || e["to_status"] != steps[i].after ||
			e["actor_id"] != steps[i].as.id.String() {
			t.Errorf("event %d is %v", i, e)
		}
		before = steps[i].after
	}
	account := s.do(s.staff, "GET", "/v1/accounts/"+s.account.String(), nil)
	if account.str("balance_cents") != "997000" {
		t.Errorf("balance %s", account)
	}
}

// Every transition is tried from every status: it succeeds where the dictionary says so, and otherwise
// returns the current status and the allowed transitions.
func TestTransitionsStartWhereTheDictionarySays(t *testing.T) {
	t.Parallel()
	s := start(t)
	type rule struct {
		Before, Roles []string
		After         string
	}
	rules := map[string]rule{}
	for _, r := range s.do(s.hub, "GET", "/v1/pickup-transitions", nil).want(200).items() {
		rules[r["transition"].(string)] = rule{texts(r["from_statuses"]), texts(r["roles"]), r["to_status"].(string)}
	}
	adjustments := s.do(s.hub, "GET", "/v1/pickup-adjustments", nil).want(200).items()
	if len(rules)+len(adjustments) != len(db.AllTransitionNameValues()) {
		t.Fatalf("the dictionary has %d rows, and %d of adjustments", len(rules), len(adjustments))
	}
	hubSees := s.statusesOf(db.UserRoleHub)
	for _, of := range db.AllTransitionNameValues() {
		name := string(of)
		r, known := rules[name]
		if !known {
			continue // an adjustment
		}
		op := theDocument().operation(name + "-pickup")
		as := s.whoMay(op.id)
		if as == s.tenant.driver {
			as = s.hub // sees the pickups of every driver
		}
		for _, status := range db.AllPickupStatusValues() {
			id := s.pickupIn(s.tenant, status, s.facility, uuid.Nil)
			if as.role == db.UserRoleHub && !slices.Contains(hubSees, status) {
				s.do(as, "POST", "/v1/pickups/"+id.String()+"/"+name, nil).refused(404, "not_found")
				continue
			}
			a := s.do(as, "POST", "/v1/pickups/"+id.String()+"/"+name, s.bodyFor(op, s.tenant))
			if slices.Contains(r.Before, string(status)) {
				if a.want(200).str("status") != r.After {
					t.Errorf("%s from %s returns %s", name, status, a)
				}
				continue
			}
			o := a.refused(409, "illegal_transition").object()
			want := []string{}
			for other, r := range rules {
				if slices.Contains(r.Before, string(status)) && slices.Contains(r.Roles, string(as.role)) {
					want = append(want, other)
				}
			}
			got := texts(o["allowed"])
			slices.Sort(want)
			slices.Sort(got)
			if o["current_status"] != string(status) || !slices.Equal(got, want) {
				t.Errorf("%s from %s: %s, want allowed %v", name, status, a, want)
			}
		}
	}
}

// statusesOf returns those in which the database shows the role every pickup.
func (s *server) statusesOf(role db.UserRole) []db.PickupStatus {
	s.t.Helper()
	rows, err := s.base.Owner().Query(s.t.Context(),
		"SELECT status FROM unnest(enum_range(NULL::pickup_status)) AS status "+
			"WHERE role_sees_pickup($1, status, NULL, NULL)", role)
	s.must(err)
	statuses, err := pgx.CollectRows(rows, pgx.RowTo[db.PickupStatus])
	s.must(err)
	return statuses
}

func texts(v any) []string {
	out := []string{}
	list, _ := v.([]any)
	for _, item := range list {
		out = append(out, item.(string))
	}
	return out
}

func TestTransitionRepeatedWithItsKeyIsOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	submit := func(as *user, key string) *answer {
		return s.do(as, "POST", path+"/submit", nil, "Idempotency-Key", key)
	}
	first := submit(s.staff, "key-1").fresh(200)
	if again := submit(s.staff, "key-1").replayed(); string(again.body) != string(first.body) {
		t.Errorf("the replay returns %s", again)
	}
	s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", "key-2").refused(409, "illegal_transition")
	s.do(s.staff, "POST", path+"/cancel", nil, "Idempotency-Key", "key-1").
		refused(422, "idempotency_key_reused", "Idempotency-Key")
	submit(s.dispatcher, "key-1").refused(422, "idempotency_key_reused")

	assign := func(driver uuid.UUID, key string, headers ...string) *answer {
		return s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": driver},
			append(headers, "Idempotency-Key", key)...)
	}
	assigned := assign(s.driverID, "key-3").fresh(200)
	assign(s.rivalID, "key-3").refused(422, "idempotency_key_reused")
	assign(s.driverID, "key-3").replayed()
	s.do(s.dispatcher, "POST", path+"/release", nil, "Idempotency-Key", "key-4").fresh(200)
	// A late duplicate does not assign the next round, with or without If-Match.
	if late := assign(s.driverID, "key-3").replayed(); late.str("status") != "SUBMITTED" {
		t.Errorf("the late duplicate returns %s", late)
	}
	assign(s.driverID, "key-3", "If-Match", first.etag()).replayed()
	assign(s.driverID, "key-5", "If-Match", assigned.etag()).refused(412, "stale_version", "If-Match")
	submit(s.staff, "key-1").replayed()
	s.do(s.staff, "POST", path+"/cancel", object{"reason": "a"}, "Idempotency-Key", "key-6").fresh(200)
	s.do(s.staff, "POST", path+"/cancel", object{"reason": "b"}, "Idempotency-Key", "key-6").
		refused(422, "idempotency_key_reused")
	s.do(s.staff, "POST", path+"/cancel", nil, "Idempotency-Key", "key-6").refused(422, "idempotency_key_reused")
	s.do(s.staff, "POST", path+"/cancel", object{"reason": "a"}, "Idempotency-Key", "key-6").replayed()
	if n := len(s.do(s.staff, "GET", path+"/events", nil).items()); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
	other := s.pickup() // a key is the pickup's own
	s.do(s.staff, "POST", other+"/submit", nil, "Idempotency-Key", "key-1").fresh(200)
}

func TestKeyOfALostTransitionIsNotUsedUp(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	assign := func() *answer {
		return s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": s.driverID}, "Idempotency-Key", "k")
	}
	assign().refused(409, "illegal_transition")
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	assign().fresh(200)
	assign().replayed()
}

func TestDuplicatesAtOnceMoveOnce(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	path := s.pickup()
	answers := atOnce(32, func(int) *answer {
		return s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", "k")
	})
	if got := tally(answers); got["200"] != 1 || got["200 replayed"] != 31 {
		t.Errorf("got %v", got)
	}
	answers = atOnce(32, func(i int) *answer {
		return s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": s.driverID}, "Idempotency-Key", "assign")
	})
	if got := tally(answers); got["200"] != 1 || got["200 replayed"] != 31 {
		t.Errorf("got %v", got)
	}
	if n := len(s.do(s.staff, "GET", path+"/events", nil).items()); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func TestStrangersAtOnceOneWins(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	path := s.pickup()
	answers := atOnce(16, func(i int) *answer {
		return s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", fmt.Sprint(i))
	})
	if got := tally(answers); got["200"] != 1 || got["409"] != 15 {
		t.Errorf("got %v", got)
	}
}

func TestTransitionHonoursIfMatch(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	for _, tag := range []string{`"2"`, `W/"2"`} {
		s.do(s.staff, "POST", path+"/submit", nil, "If-Match", tag).refused(412, "stale_version", "If-Match")
	}
	for _, tag := range notOurs {
		s.do(s.staff, "POST", path+"/submit", nil, "If-Match", tag).refused(422, "validation_failed", "If-Match")
	}
	s.do(s.staff, "POST", path+"/submit", nil, "If-Match", `W/"1"`).want(200)
	s.do(s.staff, "POST", path+"/cancel", nil, "If-Match", `*`).want(200)
}

func TestIdempotencyKeyIsStrict(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	for _, key := range []string{strings.Repeat("k", 201), "with space", "ümlaut", "tab\tinside"} {
		s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", key).
			refused(422, "validation_failed", "Idempotency-Key")
	}
	s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", strings.Repeat("k", 200)).want(200)
}

func TestTransitionsAreRefusedForTheirReasons(t *testing.T) {
	t.Parallel()
	s := start(t)
	expensive := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"price_cents": 1_000_001})).
		header.Get("Location")
	s.do(s.staff, "POST", expensive+"/submit", nil).refused(409, "insufficient_funds")

	path := s.pickup()
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	for _, absent := range []uuid.UUID{newID(), s.foreign.driverID} {
		s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": absent}).
			refused(422, "driver_not_found", "driver_id")
	}
	s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.driverID)
	s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": s.driverID}).refused(409, "driver_busy", "driver_id")
	s.do(s.dispatcher, "POST", path+"/dispatch", nil).want(200)
	third := s.pickup()
	s.do(s.staff, "POST", third+"/submit", nil).want(200)
	s.do(s.dispatcher, "POST", third+"/dispatch", nil).refused(409, "no_driver_free")
	s.do(s.staff, "POST", third+"/cancel", nil).want(200)
	if a := s.do(s.staff, "GET", third, nil); a.str("refunded_cents") != "3000" || a.str("charged_cents") != "0" {
		t.Errorf("after cancel: %s", a)
	}
}

// Two concurrent dispatches get two drivers.
func TestCancelIntoAFullAccountIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	room := (1<<53 - 1) - (1_000_000 - 3000)
	s.do(s.admin, "POST", "/v1/accounts/"+s.account.String()+"/deposits", object{"id": newID(), "amount_cents": room}).
		want(201)
	s.do(s.staff, "POST", path+"/cancel", nil).refused(409, "balance_too_large")
	if status := s.do(s.staff, "GET", path, nil).want(200).str("status"); status != "SUBMITTED" {
		t.Errorf("the pickup is %s", status)
	}
	s.do(s.admin, "POST", "/v1/accounts/"+s.account.String()+"/charges", object{"id": newID(), "amount_cents": 3000}).
		want(201)
	s.do(s.staff, "POST", path+"/cancel", nil).want(200)
}

func TestDispatchesAtOnceGetDriversOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := start(t)
	paths := []string{}
	for range 2 {
		path := s.pickup()
		s.do(s.staff, "POST", path+"/submit", nil).want(200)
		paths = append(paths, path)
	}
	answers := atOnce(2, func(i int) *answer { return s.do(s.dispatcher, "POST", paths[i]+"/dispatch", nil) })
	if a, b := answers[0].want(200), answers[1].want(200); a.str("driver_id") == b.str("driver_id") {
		t.Errorf("both got %s", a.str("driver_id"))
	}
}
