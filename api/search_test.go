package api_test

import (
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
		body := with(newUserBody(), object{"name": name, "role": role, "email": "m" + newID().String() + "@Zürich.example"})
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
