package api_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db/seed"
)

// showsHidden makes the hidden facility visible to the stranger.
func (s *server) showsHidden() {
	s.make(s.tenant, func(r *seed.Rows) {
		lab := r.Group()
		r.Members(lab, s.stranger.id)
		r.Shows(lab, s.hidden)
	})
}

func TestConsentTakesEffectOnTheNextRequest(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.showsHidden()
	path := s.patient()
	facility := path + "/facilities/" + s.hidden.String()
	see := func() *answer { return s.do(s.stranger, "GET", path, nil) }

	see().refused(404, "not_found", "")
	s.do(s.stranger, "PUT", facility, nil).refused(404, "not_found", "") // a user who does not see them may not
	s.do(s.admin, "PUT", facility, nil).refused(404, "not_found", "")
	s.do(s.foreign.staff, "PUT", facility, nil).refused(404, "not_found", "")
	s.do(s.staff, "PUT", facility, nil).want(204)
	s.do(s.staff, "PUT", facility, nil).want(204)
	see().want(200)
	s.do(s.staff, "DELETE", facility, nil).want(204)
	s.do(s.staff, "DELETE", facility, nil).want(204) // once more, it changes nothing
	see().refused(404, "not_found", "")
	s.do(s.stranger, "DELETE", facility, nil).refused(404, "not_found", "")

	s.do(s.staff, "PUT", facility, nil).want(204)
	s.do(s.stranger, "DELETE", facility, nil).want(204) // their own sight of them
	see().refused(404, "not_found", "")

	consents := s.do(s.admin, "GET", path+"/consents", nil).want(200)
	var got []any
	for _, c := range consents.items() {
		got = append(got, c["allowed"], c["actor_id"])
		if c["facility_id"] != s.hidden.String() {
			t.Errorf("got %v", c)
		}
	}
	staff, stranger := s.staff.id.String(), s.stranger.id.String()
	if want := []any{false, stranger, true, staff, false, staff, true, staff}; !equal(got, want) {
		t.Errorf("recorded %v, want %v", got, want)
	}
	s.do(s.staff, "GET", path+"/consents", nil).refused(403, "forbidden")
	s.do(s.foreign.admin, "GET", path+"/consents", nil).refused(404, "not_found", "")
}

// hides reads, edits and refers to the patient of newRecord(1) as the home facility's staff, to whom the
// patient has withdrawn consent: it is reported as not found.
func (s *server) hides(id, tag string) {
	s.t.Helper()
	path := "/v1/patients/" + id
	s.do(s.staff, "GET", path, nil).refused(404, "not_found", "")
	for _, list := range []string{"/v1/patients", "/v1/patients?facility_id=" + s.facility.String()} {
		if got := s.do(s.staff, "GET", list, nil).want(200).ids(); slices.Contains(got, id) || len(got) != 1 {
			s.t.Errorf("%s has %v", list, got)
		}
	}
	shown := s.appointments(s.staff, s.facility, "2030-01-01T00:00:00Z", "2030-01-31T00:00:00Z").want(200).items()
	if len(shown) != 1 || shown[0]["external_id"] != "2" {
		s.t.Errorf("appointments %v", shown)
	}
	s.do(s.staff, "PATCH", path, object{"phone": nil}, "If-Match", tag).refused(404, "not_found", "")
	// The staff do not give themselves access.
	s.do(s.staff, "PUT", path+"/facilities/"+s.facility.String(), nil).refused(404, "not_found", "")
	s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{"external_id": "p1"})).
		refused(409, "external_id_taken", "external_id")
	s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{"id": id})).refused(409, "id_reused", "id")
	s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"patient_id": id})).
		refused(422, "patient_not_found", "patient_id")
}

// The home facility of a patient is denied, and its list names them all the same.
func TestWithdrawnConsentIsNotUndoneByAFeed(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.showsHidden()
	s.feed(s.staff, []object{newRecord(1), newRecord(2)}).want(200)
	id := scan[string](s, "SELECT id::text FROM patients WHERE external_id = 'p1'")
	path := "/v1/patients/" + id
	home, other := path+"/facilities/"+s.facility.String(), path+"/facilities/"+s.hidden.String()
	s.do(s.staff, "PUT", other, nil).want(204)
	s.do(s.staff, "DELETE", home, nil).want(204)
	before := s.do(s.stranger, "GET", path, nil).want(200)
	audited := scan[int](s, "SELECT count(*) FROM phi_reads WHERE patient_id = $1", id)

	phone := with(newRecord(1)["patient"].(object), object{"phone": newCanaryPhone()})
	for what, record := range map[string]object{
		"right": newRecord(1), "wrong": with(newRecord(1), object{"patient": phone}),
		"canceled": with(newRecord(1), object{"status": "CANCELED"}),
	} {
		a := s.feed(s.staff, []object{record, newRecord(2)}).want(200)
		want := `{"created":0,"updated":0,"unchanged":1,"canceled":0,"superseded":false,` +
			`"not_applied":{"consent_withdrawn":1}}`
		if strings.TrimSpace(string(a.body)) != want {
			t.Errorf("%s: %s, want %s", what, a.body, want)
		}
	}
	if got := s.feed(s.staff, []object{newRecord(2)}).counts(); got != "0 0 1 0 false" {
		t.Errorf("the list without the patient: %s", got)
	}
	s.hides(id, before.etag())
	if n := scan[int](s, "SELECT count(*) FROM phi_reads WHERE patient_id = $1", id); n != audited {
		t.Errorf("%d reads are recorded, want %d", n, audited)
	}
	if got := s.do(s.stranger, "GET", path, nil).
		want(200); string(got.body) != string(before.body) || got.etag() != before.etag() {
		t.Errorf("the other facility sees %s, want %s as before", got, before)
	}
	if got := scan[string](s, "SELECT status::text FROM appointments WHERE external_id = '1'"); got != "BOOKED" {
		t.Errorf("the patient's appointment is %s", got)
	}

	s.do(s.stranger, "PUT", home, nil).want(204)
	if got := s.feed(s.staff, []object{with(newRecord(1), object{"patient": phone}), newRecord(2)}).
		counts(); got != "0 1 1 0 false" {
		t.Errorf("allowed again: %s", got)
	}
	if got := s.do(s.staff, "GET", path, nil).want(200); got.str("phone") != phone["phone"] {
		t.Errorf("got %s", got)
	}
}

// A consent can be withdrawn for a facility that never had one, and the last one cannot, even
// concurrently. A facility that the patient denies keeps the pickup that it created for them, as its
// own order, and each read of it is audited; it does not learn who the patient is, and cannot create
// another.
func TestPickupOfAWithdrawnConsentStaysAnOrderOfTheFacility(t *testing.T) {
	t.Parallel()
	s := start(t)
	patient := s.patient()
	id := strings.TrimPrefix(patient, "/v1/patients/")
	named := object{"patient_id": id}
	pickup := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), named)).want(201).header.Get("Location")
	plain := s.do(s.staff, "POST", "/v1/pickups", s.newPickup()).want(201)
	s.do(s.staff, "GET", pickup+"/patient", nil).want(200)
	s.do(s.staff, "PUT", patient+"/facilities/"+s.hidden.String(), nil).want(204)
	s.do(s.staff, "DELETE", patient+"/facilities/"+s.facility.String(), nil).want(204)

	reads := func() int { return scan[int](s, "SELECT count(*) FROM phi_reads WHERE patient_id = $1", id) }
	before := reads()
	s.do(s.staff, "GET", pickup, nil).want(200)
	s.do(s.staff, "POST", pickup+"/cancel", nil).want(200)
	if n := reads() - before; n != 2 {
		t.Errorf("%d reads are recorded, want 2", n)
	}
	s.do(s.staff, "GET", pickup+"/patient", nil).refused(404, "not_found", "")
	s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), named)).refused(422, "patient_not_found", "patient_id")
	s.do(s.staff, "PATCH", plain.header.Get("Location"), named, "If-Match", plain.etag()).
		refused(422, "patient_not_found", "patient_id")
}

func TestLastFacilityThatSeesAPatientStays(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	s.shows(s.tenant, s.hidden, s.staff)
	path := s.patient()
	home, other := path+"/facilities/"+s.facility.String(), path+"/facilities/"+s.hidden.String()
	s.do(s.staff, "DELETE", other, nil).want(204)
	s.do(s.staff, "DELETE", home, nil).refused(409, "last_facility", "")
	s.do(s.staff, "GET", path, nil).want(200)
	s.do(s.staff, "PUT", other, nil).want(204)
	answers := atOnce(8, func(i int) *answer { return s.do(s.staff, "DELETE", []string{home, other}[i%2], nil) })
	if got := tally(answers); got["204"] != 4 || got["409"] != 4 {
		t.Errorf("concurrent requests: %v", got)
	}
	s.do(s.staff, "GET", path, nil).want(200)
	if n := scan[int](s, "SELECT count(*) FROM patient_facilities WHERE allowed"); n != 1 {
		t.Errorf("%d facilities see the patient", n)
	}
}

// With concurrent consents and withdrawals, the newest one applies, and the pages list all of them.
func TestNewestConsentIsWhatHolds(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	path := s.patient()
	facility := path + "/facilities/" + s.hidden.String()
	for range 20 {
		atOnce(4, func(i int) *answer { return s.do(s.staff, []string{"PUT", "DELETE"}[i%2], facility, nil).want(204) })
		newest := s.do(s.admin, "GET", path+"/consents?limit=1", nil).want(200).items()
		holds := scan[bool](s, "SELECT allowed FROM patient_facilities WHERE facility_id = $1", s.hidden)
		if len(newest) != 1 || newest[0]["allowed"] != holds {
			t.Fatalf("the newest consent is %v, while the facility's is %v", newest, holds)
		}
	}
	all := s.do(s.admin, "GET", path+"/consents?limit=200", nil).want(200).items()
	var paged []object
	for next := path + "/consents?limit=3"; next != ""; {
		page := s.do(s.admin, "GET", next, nil).want(200)
		paged = append(paged, page.items()...)
		if next = ""; page.str("next_cursor") != "" {
			next = path + "/consents?limit=3&cursor=" + page.str("next_cursor")
		}
	}
	if len(all) < 20 || !reflect.DeepEqual(paged, all) {
		t.Errorf("%d consents, %d in pages", len(all), len(paged))
	}
	// As texts, a time that ends in zeros, which are not sent, would be later than others of the same second.
	created := func(c object) time.Time {
		at, err := time.Parse(time.RFC3339Nano, c["created_at"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for i, c := range all {
		if c["seq"] != float64(len(all)-i) || i > 0 && created(c).After(created(all[i-1])) {
			t.Errorf("consent %d is %v", i, c)
		}
	}
	for _, cursor := range []string{"AAAA", s.do(s.admin, "GET", path+"/reads?limit=1", nil).str("next_cursor") + "A"} {
		s.do(s.admin, "GET", path+"/consents?cursor="+cursor, nil).refused(422, "validation_failed", "cursor")
	}
}

func equal(a, b []any) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestConsentToNoFacilityOfTheTenant(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.patient()
	for _, id := range []uuid.UUID{newID(), s.foreign.facility, uuid.Nil} {
		for _, method := range []string{"PUT", "DELETE"} {
			s.do(s.staff, method, path+"/facilities/"+id.String(), nil).refused(404, "facility_not_found", "")
			s.do(s.staff, method, "/v1/patients/"+newID().String()+"/facilities/"+id.String(), nil).
				refused(404, "not_found", "")
		}
	}
	if n := scan[int](s, "SELECT count(*) FROM patient_consents"); n != 0 {
		t.Errorf("%d consents", n)
	}
}

func TestConsentAtOnceIsRecordedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	facility := s.patient() + "/facilities/" + s.hidden.String()
	for _, method := range []string{"PUT", "DELETE"} {
		answers := atOnce(8, func(int) *answer { return s.do(s.staff, method, facility, nil) })
		if got := tally(answers); got["204"] != 8 {
			t.Errorf("%s: %v", method, got)
		}
	}
	if n := scan[int](s, "SELECT count(*) FROM patient_consents"); n != 2 {
		t.Errorf("%d consents", n)
	}
}
