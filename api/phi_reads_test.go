package api_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// reads counts the audit's rows of a patient by operation.
func (s *server) reads(path string) map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for _, item := range s.do(s.admin, "GET", path+"/reads?limit=200", nil).want(200).items() {
		out[item["operation"].(string)]++
	}
	return out
}

func TestReadsOfAPatientAreListedForAdmins(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.patient()
	pickup := s.pickup()
	id := path[len("/v1/patients/"):]
	tag := s.do(s.staff, "GET", pickup, nil).etag()
	s.do(s.staff, "PATCH", pickup, object{"patient_id": id}, "If-Match", tag).want(200)
	s.do(s.staff, "GET", path, nil).want(200)
	s.do(s.staff, "GET", "/v1/patients", nil).want(200)
	s.do(s.staff, "GET", pickup+"/patient", nil).want(200)
	s.do(s.admin, "GET", path, nil).refused(404, "not_found")
	s.do(s.admin, "GET", pickup+"/patient", nil).refused(404, "not_found")
	a := s.do(s.admin, "GET", path+"/reads", nil).want(200)
	var operations []string
	for _, item := range a.items() {
		operations = append(operations, item["operation"].(string))
		if item["user_id"] != s.staff.id.String() || item["patient_id"] != id || item["created_at"] == nil {
			t.Errorf("got %v", item)
		}
	}
	if want := []string{"get-pickup-patient", "list-patients", "get-patient", "edit-pickup",
		"create-patient"}; !slices.Equal(operations, want) {
		t.Errorf("got %v, want %v", operations, want)
	}
	first := s.do(s.admin, "GET", path+"/reads?limit=3", nil).want(200)
	rest := s.do(s.admin, "GET", path+"/reads?limit=3&cursor="+first.str("next_cursor"), nil).want(200)
	if got := append(first.ids(), rest.ids()...); !slices.Equal(got, a.ids()) || rest.str("next_cursor") != "" {
		t.Errorf("in pages: %v, want %v", got, a.ids())
	}
	if noCanary(a.body) != nil {
		t.Errorf("the audit log contains patient data: %s", a)
	}
	for _, as := range []*user{s.staff, s.dispatcher, s.tenant.driver, s.hub} {
		s.do(as, "GET", path+"/reads", nil).refused(403, "forbidden")
	}
	s.do(s.foreign.admin, "GET", path+"/reads", nil).refused(404, "not_found", "")
	s.do(s.admin, "GET", "/v1/patients/"+newID().String()+"/reads", nil).refused(404, "not_found", "")
}

// Patients written by a list of appointments are audited, once per list; unchanged ones are not.
func TestPatientsThatAFeedWritesAreRecorded(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, records := range [][]object{
		{newRecord(1), newRecord(2), newRecord(3), with(newRecord(4), object{"patient": newRecord(1)["patient"]})},
		// all new
		{newRecord(1), newRecord(2), newRecord(3), with(newRecord(4), object{"patient": newRecord(1)["patient"]})},
		// unchanged
		{with(newRecord(1), object{"status": "ARRIVED"}), newRecord(2),
			with(newRecord(4), object{"patient": newRecord(1)["patient"]})},
	} {
		s.feed(s.staff, records).want(200)
	}
	for id, want := range map[string]int{"p1": 2, "p2": 1, "p3": 2} { // p3's was canceled
		path := "/v1/patients/" + scan[string](s, "SELECT id::text FROM patients WHERE external_id = $1", id)
		if got := s.reads(path); got["sync-appointments"] != want || len(got) != 1 {
			t.Errorf("%s has %v, want %d", id, got, want)
		}
		for _, read := range s.do(s.admin, "GET", path+"/reads", nil).items() {
			if read["user_id"] != s.staff.id.String() {
				t.Errorf("by %v", read["user_id"])
			}
		}
	}
}

func TestReadThatCannotBeRecordedIsNotAnswered(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.patient()
	pickup := s.do(s.staff, "POST", "/v1/pickups",
		with(s.newPickup(), object{"patient_id": path[len("/v1/patients/"):]})).want(201).header.Get("Location")
	s.feed(s.staff, []object{newRecord(1)}).want(200)
	appointments := "/v1/appointments?from=2030-01-01T00:00:00Z&to=2030-01-31T00:00:00Z&facility_id=" +
		s.facility.String()
	paths := []string{path, "/v1/patients", pickup + "/patient", appointments, pickup, "/v1/pickups"}
	for _, path := range paths {
		s.do(s.staff, "GET", path, nil).want(200)
	}
	s.exec("REVOKE INSERT ON phi_reads FROM waybill_app")
	s.do(s.staff, "POST", "/v1/patients", s.newPatient()).refused(500, "internal")
	s.feed(s.staff, []object{newRecord(1), newRecord(2)}).refused(500, "internal")
	if n := scan[int](s, "SELECT count(*) FROM patients"); n != 2 {
		t.Errorf("%d patients, want the two existing ones", n)
	}
	for _, path := range paths {
		if a := s.do(s.staff, "GET", path, nil).refused(500, "internal"); noCanary(a.body) != nil {
			t.Errorf("%s: %s", path, a)
		}
	}
	for request, body := range map[string]any{"PATCH " + pickup: object{"note": "Ring"},
		"POST " + pickup + "/submit": nil} {
		method, path, _ := strings.Cut(request, " ")
		if a := s.do(s.staff, method, path, body, "If-Match", `"1"`).refused(500, "internal"); noCanary(a.body) != nil {
			t.Errorf("%s: %s", request, a)
		}
	}
}

// Every answer that shows a pickup which names a patient is recorded with its operation,
// and no other.
func TestPickupsThatNameAPatientAreRecorded(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.patient()
	body := with(s.newPickup(), object{"id": newID(), "patient_id": path[len("/v1/patients/"):]})
	want := s.reads(path)
	did := func(operation string, times int, a *answer) *answer {
		t.Helper()
		if want[operation] += times; want[operation] == 0 {
			delete(want, operation)
		}
		if got := s.reads(path); !maps.Equal(got, want) {
			t.Fatalf("after %s: recorded are %v, want %v", a.request, got, want)
		}
		return a
	}
	made := did("create-pickup", 1, s.do(s.staff, "POST", "/v1/pickups", body).fresh(201))
	pickup := made.header.Get("Location")
	did("create-pickup", 1, s.do(s.staff, "POST", "/v1/pickups", body).replayed())
	did("create-pickups", 2, s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": []object{
		with(body, object{"id": newID()}), with(body, object{"id": newID()}), s.newPickup()}}).want(201))
	did("list-pickups", 1, s.do(s.staff, "GET", "/v1/pickups", nil).want(200))
	did("list-pickups", 0, s.do(s.stranger, "GET", "/v1/pickups", nil).want(200))
	did("list-pickups", 0, s.do(s.staff, "GET", "/v1/pickups?limit=1", nil).want(200)) // without a patient
	did("edit-pickup", 1, s.do(s.staff, "PATCH", pickup, object{"note": "Ring"}, "If-Match", made.etag()).want(200))
	did("edit-pickup", 0, s.do(s.staff, "PATCH", pickup, object{"note": "Ring"}, "If-Match", made.etag()).
		refused(412, "stale_version"))
	did("submit-pickup", 1, s.do(s.staff, "POST", pickup+"/submit", nil, "Idempotency-Key", "s").fresh(200))
	did("submit-pickup", 1, s.do(s.staff, "POST", pickup+"/submit", nil, "Idempotency-Key", "s").replayed())
	did("submit-pickup", 0, s.do(s.staff, "POST", pickup+"/submit", nil).refused(409, "illegal_transition"))
	did("assign-pickup", 1, s.do(s.dispatcher, "POST", pickup+"/assign", object{"driver_id": s.driverID}).want(200))
	for _, u := range []*user{s.admin, s.dispatcher, s.staff, s.tenant.driver} {
		did("get-pickup", 1, s.do(u, "GET", pickup, nil).want(200))
	}
	for _, u := range []*user{s.stranger, s.hub, s.rival, s.foreign.admin} {
		did("get-pickup", 0, s.do(u, "GET", pickup, nil).refused(404, "not_found"))
	}
	for _, of := range []string{"/events", "/messages"} {
		did("", 0, s.do(s.staff, "GET", pickup+of, nil).want(200))
	}
	did("get-pickup", 0, s.do(s.staff, "GET", s.pickup(), nil).want(200))
	did("collect-pickup", 1, s.do(s.tenant.driver, "POST", pickup+"/collect", nil).want(200))
	did("receive-pickup", 1, s.do(s.hub, "POST", pickup+"/receive", nil).
		want(200)) // where to, which is the patient's home
	did("list-pickups", 1, s.do(s.hub, "GET", "/v1/pickups", nil).want(200))
}
