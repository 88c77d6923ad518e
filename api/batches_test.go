package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// batch returns the body of a batch.
func batch(items ...object) object { return object{"items": items} }

func (a *answer) batched() (items []object) {
	a.t.Helper()
	for _, item := range a.want(200).object()["items"].([]any) {
		items = append(items, item.(object))
	}
	return items
}

// A whole lifecycle of several nouns is one batch, whose later items see what the earlier ones wrote.
func TestABatchMakesWritesOfAnyNoun(t *testing.T) {
	t.Parallel()
	s := start(t)
	pickup, facility, account := newID().String(), newID().String(), newID().String()
	made := s.do(s.dispatcher, "POST", "/v1/batch", batch(
		object{"operation": "create-pickup", "body": with(s.newPickup(), object{"id": pickup})},
		object{"operation": "submit-pickup", "path": object{"pickup_id": pickup},
			"headers": object{"If-Match": `"1"`, "Idempotency-Key": "batch-submit"}},
		object{"operation": "assign-pickup", "path": object{"pickup_id": pickup},
			"body": object{"driver_id": s.driverID}},
		object{"operation": "collect-pickup", "path": object{"pickup_id": pickup}},
	)).batched()
	for i, want := range []struct {
		status int
		now    string
	}{{201, "DRAFT"}, {200, "SUBMITTED"}, {200, "ASSIGNED"}, {200, "COLLECTED"}} {
		body, _ := made[i]["body"].(object)
		headers := made[i]["headers"].(object)
		if made[i]["status"] != float64(want.status) || body["status"] != want.now ||
			!strings.HasPrefix(headers["ETag"].(string), fmt.Sprintf(`"%d`, i+1)) {
			t.Errorf("item %d is %v", i, made[i])
		}
	}
	if made[0]["headers"].(object)["Location"] != "/v1/pickups/"+pickup {
		t.Errorf("the created row is at %v", made[0]["headers"])
	}
	if now := s.do(s.admin, "GET", "/v1/pickups/"+pickup, nil).str("status"); now != "COLLECTED" {
		t.Errorf("the pickup is %s", now)
	}
	s.do(s.admin, "POST", "/v1/batch", batch(
		object{"operation": "create-facility", "body": object{"id": facility, "name": "Clinic", "address": "1 Main St",
			"latitude": 37.7, "longitude": -122.4}},
		object{"operation": "create-account", "body": object{"id": account, "name": "Clinic", "currency": "USD"}},
		object{"operation": "deposit-to-account", "path": object{"account_id": account},
			"body": object{"id": newID(), "amount_cents": 500}},
	)).batched()
}

// If an item is rejected, nothing of the batch is there, and the answer is the error of that item alone,
// with its position.
func TestABatchIsWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := start(t)
	free := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, [16]byte{})
	for name, c := range map[string]struct {
		item   object
		status int
		code   string
		field  string
	}{
		"a lost transition": {object{"operation": "submit-pickup", "path": object{"pickup_id": free}},
			409, "illegal_transition", ""},
		"a stale version": {object{"operation": "submit-pickup", "path": object{"pickup_id": free},
			"headers": object{"If-Match": `"99"`}}, 412, "stale_version", "items[1].If-Match"},
		"a missing row": {object{"operation": "submit-pickup", "path": object{"pickup_id": newID()}},
			404, "not_found", ""},
		"an invalid member": {object{"operation": "create-pickup",
			"body": with(s.newPickup(), object{"price_cents": -1})}, 422, "validation_failed", "items[1].price_cents"},
		"an unknown member": {object{"operation": "create-pickup",
			"body": with(s.newPickup(), object{"colour": "red"})}, 422, "unknown_field", "items[1].colour"},
		"a missing body": {object{"operation": "assign-pickup", "path": object{"pickup_id": free}},
			400, "unreadable_body", ""},
		"an unknown row in the body": {object{"operation": "create-pickup",
			"body": with(s.newPickup(), object{"account_id": newID()})}, 422,
			"account_not_found", "items[1].account_id"},
		"another role's write": {object{"operation": "create-facility", "body": object{}}, 403, "forbidden", ""},
		"a read":               {object{"operation": "list-pickups"}, 422, "validation_failed", "items[1].operation"},
		"a batch":              {object{"operation": "write-batch"}, 422, "validation_failed", "items[1].operation"},
		"a missing parameter": {object{"operation": "submit-pickup"}, 422,
			"validation_failed", "items[1].path.pickup_id"},
		"an unknown parameter": {object{"operation": "submit-pickup",
			"path": object{"pickup_id": free, "id": free}}, 422, "unknown_field", "items[1].path.id"},
		"a path of dots": {object{"operation": "submit-pickup", "path": object{"pickup_id": ".."}},
			422, "validation_failed", "items[1].path"},
		"an unknown query": {object{"operation": "submit-pickup", "path": object{"pickup_id": free},
			"query": object{"force": "true"}}, 422, "unknown_parameter", "items[1].force"},
		"a dry run of an item": {object{"operation": "submit-pickup", "path": object{"pickup_id": free},
			"query": object{"dry_run": "true"}}, 422, "validation_failed", "items[1].dry_run"},
	} {
		draft := newID()
		a := s.do(s.dispatcher, "POST", "/v1/batch", batch(
			object{"operation": "create-pickup", "body": with(s.newPickup(), object{"id": draft})}, c.item,
		)).refused(c.status, c.code, c.field)
		if a.str("item") != "1" {
			t.Errorf("%s: %s", name, a)
		}
		s.do(s.dispatcher, "GET", "/v1/pickups/"+draft.String(), nil).refused(404, "not_found")
	}
	for _, body := range []any{object{}, batch(), object{"items": []object{{}}}, object{"items": make([]object, 51)}} {
		s.do(s.dispatcher, "POST", "/v1/batch", body).want(422)
	}
}

// A repeated batch is answered by its items' replays, with the keys that its own key gives them, and writes
// nothing twice.
func TestARepeatedBatchIsReplayedItemByItem(t *testing.T) {
	t.Parallel()
	s := start(t)
	pickup := s.pickup()
	id := strings.TrimPrefix(pickup, "/v1/pickups/")
	body := batch(
		object{"operation": "create-pickup", "body": s.newPickup()},
		object{"operation": "submit-pickup", "path": object{"pickup_id": id}},
	)
	first := s.do(s.dispatcher, "POST", "/v1/batch", body, "Idempotency-Key", "once").batched()
	again := s.do(s.dispatcher, "POST", "/v1/batch", body, "Idempotency-Key", "once").batched()
	for i := range first {
		was, is := first[i]["body"].(object)["id"], again[i]["body"].(object)["id"]
		if was != is || first[i]["headers"].(object)["Idempotency-Replayed"] != nil ||
			again[i]["headers"].(object)["Idempotency-Replayed"] != "true" {
			t.Errorf("item %d: %v, then %v", i, first[i], again[i])
		}
	}
	s.do(s.dispatcher, "POST", "/v1/batch", batch(
		object{"operation": "create-pickup", "body": with(s.newPickup(), object{"price_cents": 7})},
	), "Idempotency-Key", "once").refused(422, "idempotency_key_reused")
	if n := scan[int](s, "SELECT count(*) FROM pickup_events WHERE pickup_id = $1", id); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A dry run of any write answers what the write then answers, and writes nothing.
func TestADryRunAnswersLikeTheWriteAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	draft := s.newPickup()
	id := newID()
	body := with(draft, object{"id": id})
	tried := s.do(s.staff, "POST", "/v1/pickups?dry_run=true", body).want(201)
	if tried.header.Get("Dry-Run") != "true" {
		t.Errorf("headers %v", tried.header)
	}
	s.do(s.staff, "GET", "/v1/pickups/"+id.String(), nil).refused(404, "not_found")
	made := s.do(s.staff, "POST", "/v1/pickups?dry_run=false", body).want(201)
	if made.header.Get("Dry-Run") != "" || made.header.Get("ETag") != tried.header.Get("ETag") {
		t.Errorf("headers %v, tried %v", made.header, tried.header)
	}
	replay := s.do(s.staff, "POST", "/v1/pickups?dry_run=true", body).want(200)
	if replay.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the replay's headers are %v", replay.header)
	}
	path := "/v1/pickups/" + id.String()
	patient := s.plantPatient(s.planted, s.tenant, s.facility, roles).String()
	tag := s.do(s.staff, "GET", "/v1/patients/"+patient, nil).etag()
	s.do(s.staff, "PATCH", "/v1/patients/"+patient+"?dry_run=true", object{"given_name": "Ada"}, "If-Match", tag).
		want(200)
	recorded := scan[[]string](s,
		`SELECT array_agg(operation ORDER BY created_at) FROM phi_reads WHERE patient_id = $1`,
		patient)
	if !slices.Equal(recorded, []string{"get-patient", "edit-patient?dry_run=true"}) {
		t.Errorf("recorded are %q", recorded)
	}
	s.do(s.staff, "POST", path+"/submit?dry_run=true", nil).want(200)
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	s.do(s.staff, "POST", path+"/submit?dry_run=true", nil).refused(409, "illegal_transition")
	s.do(s.staff, "POST", path+"/submit?dry_run=maybe", nil).refused(422, "validation_failed", "dry_run")
	s.do(s.staff, "POST", path+"/submit?dry_run=true&dry_run=true", nil).refused(422, "validation_failed", "dry_run")
	s.do(s.staff, "GET", path+"?dry_run=true", nil).refused(422, "unknown_parameter", "dry_run")
	s.do(s.staff, "POST", "/v1/batch?dry_run=true", batch(
		object{"operation": "cancel-pickup", "path": object{"pickup_id": id}},
		object{"operation": "cancel-pickup", "path": object{"pickup_id": id}},
	)).refused(409, "illegal_transition")
	if now := s.do(s.staff, "GET", path, nil).str("status"); now != "SUBMITTED" {
		t.Errorf("the pickup is %s", now)
	}
}

// A dry run that shows patients is recorded as a read of each, whoever sees them when it is over: by a pickup, or by a
// membership that it has made itself.
func TestADryRunIsRecordedAsARead(t *testing.T) {
	t.Parallel()
	s := start(t)
	patient := s.plantPatient(s.planted, s.tenant, s.facility, roles)
	of := func(status db.PickupStatus) string {
		id := s.pickupIn(s.tenant, status, s.facility, s.driverID)
		s.exec("UPDATE pickups SET patient_id = $2 WHERE id = $1", id, patient)
		return "/v1/pickups/" + id.String()
	}
	draft, submitted, collected := of("DRAFT"), of("SUBMITTED"), of("COLLECTED")
	group, version := newID(), `"1"`
	denied := of("DRAFT")
	for _, tried := range []struct {
		name, operation string
		answer          func() *answer
	}{
		{"a dispatcher without a group", "cancel-pickup", func() *answer {
			return s.do(s.dispatcher, "POST", submitted+"/cancel?dry_run=true", object{"reason": "no_show"})
		}},
		{"an admin without a group", "cancel-pickup", func() *answer {
			return s.do(s.admin, "POST", draft+"/cancel?dry_run=true", object{"reason": "no_show"})
		}},
		{"the hub", "receive-pickup", func() *answer {
			return s.do(s.hub, "POST", collected+"/receive?dry_run=true", nil)
		}},
		{"an admin who joins the patient's group", "edit-patient", func() *answer {
			return s.do(s.admin, "POST", "/v1/batch?dry_run=true", batch(
				object{"operation": "create-group", "body": object{"id": group, "name": "Mine"}},
				object{"operation": "add-group-facility", "path": object{"group_id": group, "facility_id": s.facility}},
				object{"operation": "add-group-member", "path": object{"group_id": group, "user_id": s.admin.id}},
				object{"operation": "edit-patient", "path": object{"patient_id": patient},
					"headers": object{"If-Match": version}, "body": object{}}))
		}},
		{"staff whom the patient denies", "submit-pickup", func() *answer {
			s.exec("UPDATE patient_facilities SET allowed = false WHERE patient_id = $1", patient)
			return s.do(s.staff, "POST", denied+"/submit?dry_run=true", nil)
		}},
	} {
		reads := func() int {
			return scan[int](s, "SELECT count(*) FROM phi_reads WHERE patient_id = $1 AND operation = $2",
				patient, tried.operation+"?dry_run=true")
		}
		before := reads()
		tried.answer().want(200)
		if n := reads() - before; n != 1 {
			t.Errorf("%s: %d reads are recorded, want 1", tried.name, n)
		}
	}
}

// Writes that others stand between share a statement only where these need neither: an account's money is not spent
// before it is there, and an answer tells what was before the later items.
func TestWritesThatNeedEachOtherKeepTheirOrder(t *testing.T) {
	t.Parallel()
	s := start(t)
	account, elsewhere := newID().String(), newID().String()
	refunded := make([]string, 2)
	for i, a := range []string{elsewhere, account} {
		s.do(s.admin, "POST", "/v1/accounts", object{"id": a, "name": "A", "currency": "USD"}).want(201)
		s.do(s.admin, "POST", "/v1/accounts/"+a+"/deposits", object{"id": newID(), "amount_cents": 6}).want(201)
		id := newID().String()
		s.do(s.dispatcher, "POST", "/v1/pickups",
			with(s.newPickup(), object{"id": id, "account_id": a, "price_cents": 3})).want(201)
		s.do(s.dispatcher, "POST", "/v1/pickups/"+id+"/submit", nil).want(200)
		refunded[i] = id
	}
	cancel := func(i int) object {
		return object{"operation": "cancel-pickup", "path": object{"pickup_id": refunded[i]}}
	}
	charge := object{"operation": "charge-account", "path": object{"account_id": account},
		"body": object{"id": newID(), "amount_cents": 5}}
	// The cancels would be one statement, whose refund pays for the charge between them.
	a := s.do(s.admin, "POST", "/v1/batch", batch(cancel(0), charge, cancel(1))).refused(409, "insufficient_funds")
	if a.str("item") != "1" {
		t.Errorf("refused is %s", a)
	}
	s.do(s.admin, "POST", "/v1/batch", batch(cancel(0), cancel(1), charge)).batched()

	id := newID().String()
	create := object{"operation": "create-pickup", "body": with(s.newPickup(), object{"id": id})}
	s.do(s.dispatcher, "POST", "/v1/pickups", create["body"]).want(201)
	made := s.do(s.dispatcher, "POST", "/v1/batch", batch(
		create, object{"operation": "submit-pickup", "path": object{"pickup_id": id}})).batched()
	if status := made[0]["body"].(object)["status"]; status != "DRAFT" {
		t.Errorf("the replay of the create is answered behind the submit: %v", status)
	}
}

// Two batches that make the same two rows in opposite orders wait for each other: one is begun anew, and finds what the
// other has made. Each row is made once, and everybody is told so.
func TestBatchesThatMakeTheSameRowsInOppositeOrdersAreBothAnswered(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	for range dbtest.Rounds(12) {
		ids := []uuid.UUID{newID(), newID()}
		made := func(id uuid.UUID) object {
			return object{"operation": "create-group", "body": object{"id": id, "name": "Group " + id.String()}}
		}
		answers := atOnce(4, func(n int) *answer {
			return s.do(s.admin, "POST", "/v1/batch", batch(made(ids[n%2]), made(ids[1-n%2])))
		})
		created := map[string]int{}
		for _, a := range answers {
			for _, item := range a.batched() {
				id := item["body"].(object)["id"].(string)
				switch item["status"] {
				case 201.0:
					created[id]++
				case 200.0:
				default:
					t.Errorf("an item is answered %v", item)
				}
			}
		}
		if created[ids[0].String()] != 1 || created[ids[1].String()] != 1 {
			t.Errorf("created %v", created)
		}
	}
}
