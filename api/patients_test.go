package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// newPatient is the body of a create.
func (t *tenant) newPatient() object {
	return object{
		"facility_id": t.facility, "external_id": newCanary(), "given_name": newCanary(), "family_name": newCanary(),
		"birth_date": canaryBirth, "phone": newCanaryPhone(),
	}
}

// patient creates a patient of the facility as staff, and returns their path.
func (s *server) patient() string {
	s.t.Helper()
	return s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201).header.Get("Location")
}

func TestCreatedPatientIsSeenByTheFacility(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := with(s.newPatient(), object{"id": newID()})
	a := s.do(s.staff, "POST", "/v1/patients", body).fresh(201)
	for name, want := range body {
		if got := a.object()[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %v", name, got)
		}
	}
	path := a.header.Get("Location")
	got := s.do(s.staff, "GET", path, nil).want(200)
	if string(got.body) != string(a.body) || got.etag() != a.etag() || a.str("version") != "1" {
		t.Errorf("Location returns %s", got)
	}
	s.do(s.staff, "GET", path, nil, "If-None-Match", a.etag()).want(304)
	for _, as := range []*user{s.admin, s.dispatcher, s.stranger, s.foreign.staff} {
		s.do(as, "GET", path, nil, "If-None-Match", "*").refused(404, "not_found", "")
	}
	s.do(s.staff, "POST", "/v1/patients", body).replayed()
	s.do(s.staff, "POST", "/v1/patients", with(body, object{"given_name": newCanary()})).refused(409, "id_reused", "id")
	s.do(s.staff, "PATCH", path, object{"external_id": newCanary(), "given_name": newCanary()}, "If-Match", a.etag()).
		want(200)
	if again := s.do(s.staff, "POST", "/v1/patients", body).replayed(); again.str("version") != "2" {
		t.Errorf("the replay returns %s", again)
	}
	answers := atOnce(8, func(int) *answer {
		return s.do(s.staff, "POST", "/v1/patients",
			with(body, object{"id": uuid.Max, "external_id": canary + "-at-once"}))
	})
	if got := tally(answers); got["201"] != 1 || got["200 replayed"] != 7 {
		t.Errorf("concurrent requests: %v", got)
	}
	bare := s.do(s.staff, "POST", "/v1/patients", with(body, object{"id": nil, "external_id": nil, "phone": nil})).
		fresh(201)
	if bare.object()["phone"] != nil || bare.object()["external_id"] != nil || bare.str("id")[14] != '7' {
		t.Errorf("got %s", bare)
	}
}

// External ids are unique per facility, ids per tenant; the owner of a taken one is not revealed.
func TestExternalIDsAreTheFacilitys(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.shows(s.tenant, s.facility, s.admin)
	body := s.newPatient()
	first := s.do(s.staff, "POST", "/v1/patients", body).want(201)
	s.do(s.admin, "POST", "/v1/patients", body).refused(409, "external_id_taken", "external_id")
	s.do(s.foreign.staff, "POST", "/v1/patients",
		with(body, object{"facility_id": s.foreign.facility, "id": first.str("id")})).fresh(201)

	// The same ids at a facility that staff do not see.
	hidden := s.plantPatient(s.planted, s.tenant, s.hidden, nil)
	external := scan[string](s, "SELECT external_id FROM patients WHERE id = $1", hidden)
	s.do(s.staff, "POST", "/v1/patients", with(body, object{"external_id": external})).fresh(201)
	s.do(s.staff, "POST", "/v1/patients", with(body, object{"id": hidden, "external_id": nil})).
		refused(409, "id_reused", "id")

	answers := atOnce(8, func(int) *answer {
		return s.do(s.staff, "POST", "/v1/patients", with(body, object{"external_id": canary + "-7"}))
	})
	if got := tally(answers); got["201"] != 1 || got["409"] != 7 {
		t.Errorf("concurrent requests: %v", got)
	}
	second := s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201)
	path := second.header.Get("Location")
	s.do(s.staff, "PATCH", path, object{"external_id": body["external_id"]}, "If-Match", second.etag()).
		refused(409, "external_id_taken", "external_id")
	cleared := s.do(s.staff, "PATCH", path, `{"external_id":null,"phone":null}`, "If-Match", second.etag()).want(200)
	if cleared.object()["external_id"] != nil || cleared.object()["phone"] != nil ||
		cleared.str("given_name") != second.str("given_name") {
		t.Errorf("got %s", cleared)
	}
}

// An id is the same with blanks around it, in a create, its repeat, an edit, and a feed.
func TestExternalIDIsWithoutTheBlanksAroundIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := with(s.newPatient(), object{"id": newID(), "external_id": " 7\u00a0"})
	a := s.do(s.staff, "POST", "/v1/patients", body).fresh(201)
	if a.str("external_id") != "7" {
		t.Errorf("got %s", a)
	}
	s.do(s.staff, "POST", "/v1/patients", with(body, object{"external_id": "7\t"})).replayed()
	s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{"external_id": "\ufeff7"})).
		refused(409, "external_id_taken", "external_id")
	other := s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201)
	path := other.header.Get("Location")
	s.do(s.staff, "PATCH", path, object{"external_id": "\u30007 "}, "If-Match", other.etag()).
		refused(409, "external_id_taken", "external_id")
	if got := s.do(s.staff, "PATCH", path, object{"external_id": " 8 9 "}, "If-Match", other.etag()).
		want(200); got.str("external_id") != "8 9" {
		t.Errorf("got %s", got)
	}
	patient := with(newRecord(1)["patient"].(object), object{"external_id": "7 "})
	s.feed(s.staff, []object{with(newRecord(1), object{"patient": patient})}).want(200)
	if n := scan[int](s, "SELECT count(*) FROM patients WHERE external_id LIKE '%7%'"); n != 1 {
		t.Errorf("%d patients have the id", n)
	}
}

// Who sees a patient by their consent alone learns nothing of the ids at their facility.
func TestExternalIDIsChangedByViewersOfItsFacility(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.shows(s.tenant, s.facility, s.admin)
	taken := s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201).str("external_id")
	hidden := s.plantPatient(s.planted, s.tenant, s.hidden, nil)
	other := scan[string](s, "SELECT external_id FROM patients WHERE id = $1", hidden)
	path := "/v1/patients/" + s.plantPatient(s.planted, s.tenant, s.hidden, nil).String()
	s.allow(uuid.MustParse(path[len("/v1/patients/"):]), s.facility)
	tag := s.do(s.staff, "GET", path, nil).want(200).etag()
	var first *answer
	for _, id := range []string{other, taken, newCanary()} {
		a := s.do(s.staff, "PATCH", path, object{"external_id": id}, "If-Match", tag).
			refused(403, "forbidden", "external_id")
		if first == nil {
			first = a
		}
		if string(withoutID(a)) != string(withoutID(first)) {
			t.Errorf("an id in use is answered with %s, another with %s", first, a)
		}
	}
	s.do(s.staff, "PATCH", path, object{"given_name": newCanary()}, "If-Match", tag).want(200)
}

func TestPatientOfAFacilityThatIsNotSeenIsNotMade(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		as       *user
		facility uuid.UUID
	}{
		{s.staff, s.hidden}, {s.staff, newID()}, {s.staff, uuid.Nil},
		{s.staff, s.foreign.facility}, {s.stranger, s.facility},
		{s.admin, s.facility}, {s.dispatcher, s.facility}, {s.admin, s.foreign.facility}, // none is in a group
	} {
		s.do(c.as, "POST", "/v1/patients", with(s.newPatient(), object{"facility_id": c.facility})).
			refused(422, "facility_not_found", "facility_id")
	}
	if n := scan[int](s, "SELECT count(*) FROM patients"); n != 0 {
		t.Errorf("%d patients", n)
	}
}

func TestPatientsAreValidated(t *testing.T) {
	t.Parallel()
	s := start(t)
	created := s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201)
	// Tomorrow is a birth date, and the day after tomorrow becomes one if midnight passes during the test.
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	for name, values := range map[string][]any{
		"given_name":  {"", " ", "\t\n", strings.Repeat("x", 201), "a\x00", 1},
		"family_name": {"", " ", strings.Repeat("x", 201), "a\x00"},
		"external_id": {"", " ", "\n", "\u00a0", "\u3000\v", "\ufeff", "\u200b",
			strings.Repeat("x", 201), "a\x00", 4711},
		"phone": {"", "4155550123", "+0155550123", "+1 415 555 0123", "+1415555012345678", "+1415"},
		"birth_date": {"", "2024-02-30", "2023-02-29", "1990-5-17", "17.05.1990", "1990-05-17T00:00:00Z",
			"0000-01-01", "0001-01-01", "1799-12-31",
			"9999-12-31", "10000-01-01", "-1990-01-01", day(3), day(400), 19900517},
	} {
		for _, value := range values {
			s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{name: value})).
				named(422, "validation_failed", name, value)
			s.do(s.staff, "PATCH", created.header.Get("Location"), object{name: value}, "If-Match", created.etag()).
				named(422, "validation_failed", name, value)
		}
	}
	for _, value := range []string{"1799-12-31", "0002-01-01",
		day(3)} { // the answer states the accepted form, like that of a list
		const expected = "birth_date: expected a date from 1800 on, and not in the future."
		s.do(s.staff, "GET", "/v1/patients?birth_date="+value, nil).refused(422, "validation_failed", "birth_date")
		s.do(s.staff, "POST", "/v1/patients/search", object{"birth_date": value}).
			refused(422, "validation_failed", "birth_date")
		a := s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{"birth_date": value}))
		b := s.do(s.staff, "PATCH", created.header.Get("Location"),
			object{"birth_date": value}, "If-Match", created.etag())
		if a.str("detail") != expected || b.str("detail") != expected {
			t.Errorf("%s: got %s and %s", value, a, b)
		}
	}
	for judged := false; !judged; { // before midnight or after it
		today, patient := day(0), with(s.newPatient(), object{"birth_date": day(2)})
		answer := s.do(s.staff, "POST", "/v1/patients", patient)
		if judged = today == day(0); judged {
			answer.refused(422, "validation_failed", "birth_date")
		}
	}
	for _, value := range []string{day(0), day(1), "1800-01-01", "2024-02-29", day(-1)} {
		s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{"birth_date": value})).want(201)
	}
	for _, name := range []string{"given_name", "family_name", "birth_date", "facility_id"} {
		s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{name: nil})).
			refused(422, "validation_failed", name)
	}
	for _, name := range []string{"facility_id", "id", "version", "created_at"} {
		s.do(s.staff, "PATCH", created.header.Get("Location"), object{name: 1}, "If-Match", created.etag()).
			refused(422, "read_only_field", name)
	}
	for _, name := range []string{"given_name", "birth_date"} {
		s.do(s.staff, "PATCH", created.header.Get("Location"), `{"`+name+`":null}`, "If-Match", created.etag()).
			refused(422, "validation_failed", name)
	}
}

// named expects an error at the member, and logs the value. A value with U+0000 is rejected before its
// member is known.
func (a *answer) named(status int, code, field string, value any) {
	a.t.Helper()
	if text, ok := value.(string); ok && strings.Contains(text, "\x00") {
		field = ""
	}
	if a.status != status || a.str("code") != code || a.str("field") != field {
		a.t.Errorf("%s with %v: got %s", field, value, a)
	}
}

func TestPatientEditNeedsTheVersionThatWasSeen(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	a := s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201)
	path := a.header.Get("Location")
	edit := func(as *user, tag string) *answer {
		return s.do(as, "PATCH", path, object{"given_name": newCanary()}, "If-Match", tag)
	}
	s.do(s.staff, "PATCH", path, object{"given_name": newCanary()}).refused(428, "precondition_required")
	edit(s.staff, `"9"`).refused(412, "stale_version")
	edit(s.stranger, a.etag()).refused(404, "not_found", "")
	edit(s.admin, `"9"`).refused(404, "not_found", "")
	edit(s.foreign.staff, a.etag()).refused(404, "not_found", "")
	answers := atOnce(8, func(int) *answer { return edit(s.staff, a.etag()) })
	if got := tally(answers); got["200"] != 1 || got["412"] != 7 {
		t.Errorf("concurrent requests: %v", got)
	}
	if got := s.reads(path); got["edit-patient"] != 1 || got["create-patient"] != 1 || len(got) != 2 {
		t.Errorf("the audit has %v: an edit shows the patient, a refusal nothing", got)
	}
}

// What a list does not show is not recorded as read.
func TestListPatientsShowsAndRecordsThePage(t *testing.T) {
	t.Parallel()
	s := start(t)
	var all []string
	for range 5 {
		all = append(all, s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201).str("id"))
	}
	slices.Sort(all)
	s.plantPatient(s.planted, s.tenant, s.hidden, nil)
	s.plantPatient(s.planted, s.foreign, s.foreign.facility, nil)
	var got []string
	for path := "/v1/patients?limit=2"; path != ""; {
		page := s.do(s.staff, "GET", path, nil).want(200)
		got = append(got, page.ids()...)
		if path = ""; page.str("next_cursor") != "" {
			path = "/v1/patients?limit=2&cursor=" + page.str("next_cursor")
		}
		if n := scan[int](s, "SELECT count(*) FROM phi_reads WHERE operation <> 'create-patient'"); n != len(got) {
			t.Errorf("%d shown, %d recorded", len(got), n)
		}
	}
	if !slices.Equal(got, all) {
		t.Errorf("got %v, want %v", got, all)
	}
	for _, c := range []struct {
		as    *user
		query string
		want  int
	}{
		{s.staff, "", 5}, {s.staff, "?limit=5", 5}, {s.staff, "?facility_id=" + s.facility.String(), 5},
		{s.staff, "?facility_id=" + s.hidden.String(), 0},
		{s.staff, "?facility_id=" + newID().String(), 0}, {s.staff, "?facility_id=" + s.foreign.facility.String(), 0},
		{s.stranger, "", 0}, {s.admin, "", 0}, {s.dispatcher, "", 0},
		{s.foreign.staff, "", 1}, {s.foreign.admin, "", 0},
	} {
		page := s.do(c.as, "GET", "/v1/patients"+c.query, nil).want(200)
		if n := len(page.items()); n != c.want || page.str("next_cursor") != "" {
			t.Errorf("%s lists %d by %s, want %d: %s", c.as.role, n, c.query, c.want, page)
		}
	}
	s.do(s.hub, "GET", "/v1/patients", nil).refused(403, "forbidden")
	s.do(s.tenant.driver, "GET", "/v1/patients", nil).refused(403, "forbidden")
	s.do(s.staff, "GET", "/v1/patients?cursor="+s.do(s.admin, "GET", "/v1/groups", nil).str("next_cursor")+"AAAA", nil).
		refused(422, "validation_failed", "cursor")
}

func TestDriverReadsTheNameAloneWhileThePickupIsTheirs(t *testing.T) {
	t.Parallel()
	s := start(t)
	patient := s.plantPatient(s.planted, s.tenant, s.facility, nil)
	for _, at := range []db.PickupStatus{db.PickupStatusASSIGNED, db.PickupStatusCOLLECTED, db.PickupStatusSHIPPED} {
		id := s.pickupIn(s.tenant, at, s.facility, s.driverID)
		path := "/v1/pickups/" + id.String() + "/patient"
		s.do(s.tenant.driver, "GET", path, nil).refused(404, "not_found", "") // a driver has no patients
		s.exec("UPDATE pickups SET patient_id = $2 WHERE id = $1", id, patient)
		a := s.do(s.tenant.driver, "GET", path, nil).want(200)
		o := a.object()
		if o["given_name"] == nil || o["family_name"] == nil || o["id"] != patient.String() || len(o) != 3 {
			t.Errorf("%s: got %s", at, a)
		}
		if full := s.do(s.staff, "GET", path, nil).want(200).
			object(); full["birth_date"] != canaryBirth || full["phone"] == nil || len(full) != 5 {
			t.Errorf("staff get %v", full)
		}
		s.do(s.rival, "GET", path, nil).refused(404, "not_found", "")
		s.do(s.hub, "GET", path, nil).refused(403, "forbidden")
		for _, as := range []*user{s.admin, s.dispatcher, s.stranger, s.foreign.staff, s.foreign.driver} {
			s.do(as, "GET", path, nil).refused(404, "not_found", "")
		}
	}
	delivered := s.pickupIn(s.tenant, db.PickupStatusDELIVERED, s.facility, s.driverID)
	s.exec("UPDATE pickups SET patient_id = $2 WHERE id = $1", delivered, patient)
	s.do(s.tenant.driver, "GET", "/v1/pickups/"+delivered.String()+"/patient", nil).refused(404, "not_found", "")
	s.do(s.staff, "GET", "/v1/pickups/"+delivered.String()+"/patient", nil).want(200)
	released := s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.driverID)
	s.exec("UPDATE pickups SET patient_id = $2 WHERE id = $1", released, patient)
	s.do(s.dispatcher, "POST", "/v1/pickups/"+released.String()+"/release", nil).want(200)
	s.do(s.tenant.driver, "GET", "/v1/pickups/"+released.String()+"/patient", nil).refused(404, "not_found", "")
}

func TestPickupNamesAPatientThatItsMakerSees(t *testing.T) {
	t.Parallel()
	s := start(t)
	mine := s.plantPatient(s.planted, s.tenant, s.facility, nil)
	hidden := s.plantPatient(s.planted, s.tenant, s.hidden, nil)
	theirs := s.plantPatient(s.planted, s.foreign, s.foreign.facility, nil)
	made := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"patient_id": mine})).want(201)
	if made.str("patient_id") != mine.String() {
		t.Errorf("got %s", made)
	}
	path := made.header.Get("Location")
	for _, id := range []uuid.UUID{hidden, theirs, newID(), uuid.Nil} {
		s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"patient_id": id})).
			refused(422, "patient_not_found", "patient_id")
		items := []object{}
		for range 9 {
			items = append(items, s.newPickup())
		}
		items[7] = with(items[7], object{"patient_id": id})
		s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items}).
			refused(422, "patient_not_found", "items[7].patient_id")
		s.do(s.staff, "PATCH", path, object{"patient_id": id}, "If-Match", made.etag()).
			refused(422, "patient_not_found", "patient_id")
	}
	s.do(s.dispatcher, "POST", "/v1/pickups", with(s.newPickup(), object{"patient_id": mine})).
		refused(422, "patient_not_found", "patient_id")
	s.do(s.staff, "PATCH", path, object{"facility_id": s.hidden, "patient_id": mine}, "If-Match", made.etag()).
		refused(422, "facility_not_found", "facility_id")
	cleared := s.do(s.staff, "PATCH", path, `{"patient_id":null}`, "If-Match", made.etag()).want(200)
	if cleared.object()["patient_id"] != nil {
		t.Errorf("got %s", cleared)
	}
	s.do(s.staff, "GET", path+"/patient", nil).refused(404, "not_found", "")
	again := s.do(s.staff, "PATCH", path, object{"patient_id": mine}, "If-Match", cleared.etag()).want(200)
	if again.str("patient_id") != mine.String() {
		t.Errorf("got %s", again)
	}
	s.do(s.staff, "PATCH", path, object{"note": "Ring"}, "If-Match", again.etag()).want(200)
	if got := s.do(s.staff, "GET", path, nil).want(200); got.str("patient_id") != mine.String() {
		t.Errorf("an edit of another field leaves %s", got)
	}
}
