package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// takes reports whether an operation of the document has a header.
func (op *described) takes(header string) bool {
	return slices.ContainsFunc(op.parameters, func(p object) bool { return p["in"] == "header" && p["name"] == header })
}

// isCreate reports whether an operation creates rows with an optional id: charges and deposits always
// have an id.
func (op *described) isCreate() bool {
	return strings.HasPrefix(op.id, "create-") || op.id == "add-phone-number"
}

// withoutIDs returns a body without the ids of new rows.
func withoutIDs(body object) object {
	body = with(body, object{"id": nil})
	if items, ok := body["items"].([]object); ok {
		items = slices.Clone(items)
		for i := range items {
			items[i] = with(items[i], object{"id": nil})
		}
		body["items"] = items
	}
	return body
}

// changed returns a body for a different request.
func changed(body object) object {
	if items, ok := body["items"].([]object); ok {
		return with(body, object{"items": append(slices.Clone(items), items[0])})
	}
	for _, name := range []string{"name", "note", "number", "given_name"} {
		if body[name] != nil || name == "note" && body["price_cents"] != nil {
			return with(body, object{name: map[bool]any{true: "+14155550177", false: "Another"}[name == "number"]})
		}
	}
	if body["url"] != nil {
		return with(body, object{"url": "https://elsewhere.example/waybill"})
	}
	return nil
}

func TestIdempotencyKeyOfACreateMakesItsRowOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	creates := 0
	for _, op := range theDocument().operations {
		if !op.isCreate() {
			continue
		}
		creates++
		as := s.whoMay(op.id)
		c := s.call(op, as.role, "own", s.tenant)
		body := withoutIDs(c.body.(object))
		if op.id == "create-pickups" {
			body = object{"items": []object{s.newPickup(), s.newPickup()}}
		}
		post := func(as *user, body any, key string) *answer {
			return s.do(as, op.method, c.path, body, "Idempotency-Key", key)
		}

		answers := atOnce(8, func(int) *answer { return post(as, body, "key-1") })
		if n := tally(answers); n["201"] != 1 || n["200 replayed"] != 7 {
			t.Errorf("%s: eight requests with one key: %v", op.id, n)
		}
		id := idsOf(answers[0])
		for _, a := range answers {
			if !slices.Equal(idsOf(a), id) {
				t.Errorf("%s: one key made %v and %v", op.id, id, idsOf(a))
			}
		}
		post(as, changed(body), "key-1").refused(422, "idempotency_key_reused", "Idempotency-Key")
		if items, ok := body["items"].([]object); ok {
			post(as, object{"items": items[:1]}, "key-1").refused(422, "idempotency_key_reused", "Idempotency-Key")
		}
		chosen := with(body, object{"id": newID()})
		if items, ok := body["items"].([]object); ok {
			chosen = object{"items": []object{items[0], with(items[0], object{"id": newID()})}}
		}
		post(as, chosen, "key-2").refused(422, "validation_failed", "Idempotency-Key")
		if another := s.newUser(s.tenant, as.role); op.id == "create-group" {
			if a := post(another, body, "key-1").fresh(201); slices.Equal(idsOf(a), id) {
				t.Errorf("%s: two users share a key", op.id)
			}
		}
	}
	if creates < 9 {
		t.Errorf("the document has %d creates", creates)
	}
}

// idsOf returns the ids in an answer.
func idsOf(a *answer) []string {
	if a.object()["items"] != nil {
		return a.ids()
	}
	return []string{a.str("id")}
}

func TestKeyOfOneCreateIsNotAnothers(t *testing.T) {
	t.Parallel()
	s := start(t)
	seen := map[string]bool{}
	for _, path := range []string{"/v1/groups", "/v1/accounts", "/v1/facilities"} {
		body := object{"/v1/groups": object{"name": "A"}, "/v1/accounts": object{"name": "A", "currency": "USD"},
			"/v1/facilities": object{"name": "A", "address": "1 Main St", "latitude": 1, "longitude": 1}}[path]
		a := s.do(s.admin, "POST", path, body, "Idempotency-Key", "key").fresh(201)
		if id := uuid.MustParse(a.str("id")); seen[id.String()] || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%s made %s", path, id)
		}
		seen[a.str("id")] = true
	}
	// A number of another user's is another request, and not a second row.
	number := func(of *user) *answer {
		return s.do(s.admin, "POST", "/v1/users/"+of.id.String()+"/phone-numbers",
			object{"number": "+14155550188"}, "Idempotency-Key", "key")
	}
	number(s.staff).fresh(201)
	number(s.staff).replayed()
	number(s.hub).refused(422, "idempotency_key_reused", "Idempotency-Key")
}

// An Idempotency-Key in a read has no effect: the answer is current, and the document says so.
func TestAKeyChangesNothingInARead(t *testing.T) {
	t.Parallel()
	s := start(t)
	served := s.do(nil, "GET", "/openapi.json", nil).want(200).object()
	about := fmt.Sprint(served["info"].(object)["description"])
	if !strings.Contains(about, "In a read, an `Idempotency-Key` has no effect") {
		t.Error("the document does not describe the key in a read")
	}
	path := s.pickup()
	row := s.do(s.staff, "GET", path, nil, "Idempotency-Key", "key").want(200)
	s.do(s.staff, "PATCH", path, object{"note": "new"}, "If-Match", row.etag()).want(200)
	for _, method := range []string{"GET", "HEAD"} {
		again := s.do(s.staff, method, path, nil, "Idempotency-Key", "key").want(200)
		if again.etag() == row.etag() || again.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: the answer is an old one: %v", method, again.header)
		}
	}
	s.do(s.staff, "GET", "/v1/pickups?limit=1", nil, "Idempotency-Key", "key").want(200)
	s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", "key").fresh(200)
}

func TestHeaderThatIsNotHonouredIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	writes := map[string]string{"Idempotency-Key": "key-1", "If-Match": `"1"`, "If-None-Match": "*",
		"If-Unmodified-Since": "Wed, 01 Jan 2025 00:00:00 GMT", "Content-Range": "bytes 0-9/10",
		"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}
	reads := maps.Clone(writes)
	for _, name := range []string{"Idempotency-Key", "If-None-Match", "If-Unmodified-Since", "Content-Range"} {
		delete(reads, name)
	}
	for _, op := range theDocument().operations {
		as := s.whoMay(op.id)
		which := "own"
		if op.id == "logout" || op.id == "deactivate-user" || op.id == "change-password" {
			which = "absent"
		}
		c := s.call(op, as.role, which, s.tenant)
		headers := writes
		if op.method == "GET" {
			headers = reads
		}
		for name, value := range headers {
			if !op.takes(name) {
				a := s.do(as, op.method, c.path, c.body, append(slices.Clone(c.headers), name, value)...)
				if a.status != 422 || a.str("code") != "validation_failed" || !strings.EqualFold(a.str("field"), name) {
					t.Errorf("%s with %s: %s", op.id, name, a)
				}
			}
		}
	}
	for _, name := range []string{"Idempotency-Key", "If-Match"} {
		taken := 0
		for _, op := range theDocument().operations {
			if op.takes(name) {
				taken++
			}
		}
		if taken < 15 {
			t.Errorf("%d operations accept %s", taken, name)
		}
	}
}
