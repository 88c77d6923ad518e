package api_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// listed returns the ids of a list in its order.
func (s *server) listed(as *user, path string, parameters ...string) []string {
	s.t.Helper()
	query := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	return s.do(as, "GET", path+"?"+query.Encode(), nil).want(200).ids()
}

func TestUsersAreListedByEachFilter(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	ids := map[string]string{}
	for name, role := range map[string]string{"Zoë O’Quill": "staff", "Zora Quill": "hub", "Quirin Zo": "hub"} {
		body := with(newUserBody(),
			object{"name": name, "role": role, "email": "m" + newID().String() + "@Zürich.example"})
		a := s.do(s.admin, "POST", "/v1/users", body).fresh(201)
		ids[name] = a.str("id")
		ids["email of "+name] = a.str("email")
	}
	path := "/v1/users/" + ids["Quirin Zo"]
	s.do(s.admin, "POST", path+"/deactivate", nil).want(200)
	zoe, zora, quirin := ids["Zoë O’Quill"], ids["Zora Quill"], ids["Quirin Zo"]
	for _, q := range []struct {
		parameters []string
		want       []string
	}{
		{[]string{"name", "zo quill"}, []string{zoe, zora}},
		{[]string{"name", "zo qui"}, []string{zoe, zora, quirin}},
		{[]string{"name", "zo qui", "role", "hub"}, []string{zora, quirin}},
		{[]string{"name", "zo qui", "active", "true"}, []string{zoe, zora}},
		{[]string{"name", "zo qui", "active", "false"}, []string{quirin}},
		{[]string{"active", "false"}, []string{quirin}},
		{[]string{"active", "false", "role", "staff"}, nil},
		{[]string{"name", "'-"}, nil},
		{[]string{"name", "%"}, nil},
		{[]string{"email", strings.ToUpper(ids["email of Zora Quill"])}, []string{zora}},
		{[]string{"email", ids["email of Zora Quill"], "name", "zora"}, []string{zora}},
		{[]string{"email", ids["email of Zora Quill"], "name", "zoe"}, nil},
		{[]string{"email", ids["email of Zora Quill"], "role", "staff"}, nil},
		{[]string{"email", ids["email of Quirin Zo"], "active", "true"}, nil},
		{[]string{"email", "nobody@zurich.example"}, nil},
	} {
		got := s.listed(s.dispatcher, "/v1/users", q.parameters...)
		slices.Sort(got)
		if slices.Sort(q.want); !slices.Equal(got, q.want) {
			t.Errorf("%q: found %v, want %v", q.parameters, got, q.want)
		}
	}
	all := s.listed(s.admin, "/v1/users", "limit", "200")
	hubs := s.listed(s.admin, "/v1/users", "role", "hub")
	inOrder := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return !slices.Contains(hubs, id) })
	if len(hubs) < 3 || len(hubs) == len(all) || !slices.Equal(hubs, inOrder) {
		t.Errorf("hubs are listed as %v, in the order of all %v", hubs, inOrder)
	}
	if got := s.pages(s.admin, "/v1/users", 2, nil); !slices.Equal(got, all) {
		t.Errorf("in pages %v, want %v", got, all)
	}
}

// A cursor of a search continues that search, and no other.
func TestACursorBelongsToItsSearch(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	for i := range 5 {
		s.do(s.admin, "POST", "/v1/users", with(newUserBody(), object{"name": fmt.Sprint("Zed Number ", i)})).fresh(201)
	}
	list := func(query string) *answer { return s.do(s.admin, "GET", "/v1/users?limit=2&"+query, nil) }
	first := list("name=zed").want(200)
	found := first.ids()
	next := first.str("next_cursor")
	list("cursor="+next).refused(422, "validation_failed", "cursor")
	list("name=zed+n&cursor="+next).refused(422, "validation_failed", "cursor")
	list("name=zed&cursor="+list("role=staff").want(200).str("next_cursor")).refused(422, "validation_failed", "cursor")
	for next != "" {
		a := list("name=zed&cursor=" + next).want(200)
		found, next = append(found, a.ids()...), ""
		if cursor, ok := a.object()["next_cursor"]; ok {
			next = cursor.(string)
		}
	}
	slices.Sort(found)
	if len(slices.Compact(found)) != 5 {
		t.Errorf("found %v, want 5 users", found)
	}
}

// list-patients answers a search with those whom the viewer sees, and records each as read; the search is in no log.
func TestPatientsAreListedByEachFilter(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	family, phone := newCanary(), newCanaryPhone()
	create := func(as *user, facility any, more object) string {
		return s.do(as, "POST", "/v1/patients", with(object{"facility_id": facility, "given_name": "Zoë",
			"family_name": "O’" + family, "birth_date": canaryBirth}, more)).fresh(201).str("id")
	}
	zoe := create(s.staff, s.facility, object{"phone": phone, "external_id": "p 1/&%"})
	zora := create(s.staff, s.facility, object{"given_name": "Zora", "birth_date": "1931-07-14"})
	hidden := newID()
	s.exec(`WITH p AS (INSERT INTO patients (tenant_id, id, facility_id, given_name, family_name, birth_date, phone)
			VALUES ($1, $2, $3, 'Zora', $4, $5, $6))
		INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) VALUES ($1, $2, $3)`,
		s.tenant.id, hidden, s.hidden, family, canaryBirth, phone)
	for _, q := range []struct{ parameters, want []string }{
		{[]string{"name", strings.ToLower(family)}, []string{zoe, zora}},
		{[]string{"name", "zo o'" + family[:20]}, []string{zoe, zora}},
		{[]string{"name", family + " zoe"}, []string{zoe}},
		{[]string{"name", family, "birth_date", canaryBirth}, []string{zoe}},
		{[]string{"phone", phone}, []string{zoe}},
		{[]string{"external_id", " p 1/&% "}, []string{zoe}},
		{[]string{"name", family, "facility_id", s.hidden.String()}, nil},
		{[]string{"name", "?"}, nil},
	} {
		before := s.listReads(zoe) + s.listReads(zora)
		got := s.listed(s.staff, "/v1/patients", q.parameters...)
		searched := s.searched(s.staff, q.parameters)
		if n := s.listReads(zoe) + s.listReads(zora) - before; n != 2*len(got) || !slices.Equal(searched, got) {
			t.Errorf("%q: listed %v, searched %v; %d reads are recorded", q.parameters, got, searched, n)
		}
		slices.Sort(got)
		if slices.Sort(q.want); !slices.Equal(got, q.want) {
			t.Errorf("%q: found %v, want %v", q.parameters, got, q.want)
		}
		none := append(s.listed(s.stranger, "/v1/patients", q.parameters...), s.searched(s.stranger, q.parameters)...)
		if len(none) > 0 || s.listReads(hidden.String()) > 0 {
			t.Errorf("%q: a stranger is shown %v", q.parameters, none)
		}
	}
	for parameter, value := range map[string]string{"name": " ", "birth_date": "1931-02-30", "phone": "555",
		"external_id": " "} {
		s.do(s.staff, "GET", "/v1/patients?"+url.Values{parameter: {value}}.Encode(), nil).
			refused(422, "validation_failed", parameter)
		s.do(s.staff, "POST", "/v1/patients/search", object{parameter: value}).
			refused(422, "validation_failed", parameter)
	}
}

// A search is read on by the cursor in its body. The cursor says nothing to anybody but the session that got it.
func TestACursorOfASearchSaysNothingOfWhomItFound(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	family := newCanary()
	for i := range 5 {
		s.do(s.staff, "POST", "/v1/patients", object{"facility_id": s.facility, "given_name": fmt.Sprint("Zo", i),
			"family_name": family, "birth_date": canaryBirth, "phone": newCanaryPhone()}).fresh(201)
	}
	for _, searched := range []object{{"name": family[:20]}, {"birth_date": canaryBirth}} {
		const path = "/v1/patients/search"
		ask := with(searched, object{"limit": 2})
		first := s.do(s.staff, "POST", path, ask).want(200)
		listed := s.do(s.staff, "GET", "/v1/patients?"+queryOf(ask), nil).want(200).str("next_cursor")
		found, next := first.ids(), first.str("next_cursor")
		for _, cursor := range []string{next, listed} {
			raw, err := base64.RawURLEncoding.DecodeString(cursor)
			s.must(err)
			if text := strings.ToLower(string(raw)); strings.Contains(text, strings.ToLower(canary)) ||
				strings.Contains(text, "1931") {
				t.Errorf("%v: a cursor has %q", searched, raw)
			}
		}
		again := *s.staff
		again.token = s.login(s.staff.email, password).want(201).str("token")
		for _, refused := range []struct {
			as  *user
			ask object
		}{
			{&again, with(ask, object{"cursor": next})}, {s.staff, with(ask, object{"cursor": listed})},
			{s.staff, object{"name": "zo", "cursor": next}}, {s.staff, object{"cursor": next}},
			{s.staff, with(ask, object{"cursor": "x"})},
		} {
			s.do(refused.as, "POST", path, refused.ask).refused(422, "validation_failed", "cursor")
		}
		for next != "" {
			a := s.do(s.staff, "POST", path, with(ask, object{"cursor": next})).want(200)
			found, next = append(found, a.ids()...), ""
			if cursor, ok := a.object()["next_cursor"]; ok {
				next = cursor.(string)
			}
		}
		slices.Sort(found)
		if len(slices.Compact(found)) != 5 {
			t.Errorf("%v: found %v, want 5 patients", searched, found)
		}
	}
	all := s.do(s.staff, "POST", "/v1/patients/search", object{"limit": 3}).want(200)
	rest := s.do(s.staff, "POST", "/v1/patients/search", object{"limit": 3, "cursor": all.str("next_cursor")}).want(200)
	if got := append(all.ids(), rest.ids()...); len(got) != 5 || !slices.IsSorted(got) {
		t.Errorf("without a filter, %v are found, want 5 by id", got)
	}
}

// queryOf returns members as parameters.
func queryOf(members object) string {
	values := url.Values{}
	for name, value := range members {
		values.Set(name, fmt.Sprint(value))
	}
	return values.Encode()
}

// searched returns the ids that search-patients finds.
func (s *server) searched(as *user, parameters []string) []string {
	s.t.Helper()
	ask := object{}
	for p := range slices.Chunk(parameters, 2) {
		ask[p[0]] = p[1]
	}
	return s.do(as, "POST", "/v1/patients/search", ask).want(200).ids()
}

// listReads is the number of recorded reads of a patient by list-patients.
func (s *server) listReads(patient string) int {
	s.t.Helper()
	return scan[int](s, "SELECT count(*) FROM phi_reads WHERE patient_id = $1 AND operation = 'list-patients'", patient)
}
