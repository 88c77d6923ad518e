package api_test

import "testing"

func TestFlagsAreSetByVersion(t *testing.T) {
	t.Parallel()
	s := start(t)
	flags := s.do(s.admin, "GET", "/v1/flags", nil).want(200).items()
	if len(flags) != 2 || flags[0]["name"] != "auto_dispatch" || flags[1]["name"] != "pickup_texts" {
		t.Errorf("flags: %v", flags)
	}
	set := func(tag string) *answer {
		return s.do(s.admin, "PUT", "/v1/flags/auto_dispatch", object{"enabled": true}, "If-Match", tag)
	}
	if a := set(`"1"`).want(200); a.str("enabled") != "true" || a.etag() != `"2"` {
		t.Errorf("got %s", a)
	}
	set(`"1"`).refused(412, "stale_version", "If-Match")
	s.do(s.admin, "GET", "/v1/flags/auto_dispatch", nil, "If-None-Match", `"2"`).want(304)
	for _, name := range []string{"%00", "a%ff"} {
		s.do(s.admin, "GET", "/v1/flags/"+name, nil).refused(422, "validation_failed", "name")
	}
	for _, name := range []string{"absent", "AUTO_DISPATCH", "%20"} {
		s.do(s.admin, "GET", "/v1/flags/"+name, nil).refused(404, "not_found", "")
		s.do(s.admin, "PUT", "/v1/flags/"+name, object{"enabled": true}, "If-Match", `"1"`).
			refused(404, "not_found", "")
	}
	if a := s.do(s.foreign.admin, "GET", "/v1/flags/auto_dispatch", nil).want(200); a.str("enabled") != "false" {
		t.Errorf("another tenant's flag: %s", a)
	}
}
