package api_test

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"waybill/api"
)

// Every other test also checks its answers against this rule: see TestMain and validate.
func TestTimesAreUTCInWhateverZoneTheProcessIs(t *testing.T) {
	t.Parallel()
	if _, offset := time.Now().Zone(); offset == 0 {
		t.Fatal("the tests run in UTC")
	}
	s := start(t)
	const at = "2030-01-01T05:30:00.25+05:30"
	made := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"window_start": at})).want(201)
	read := s.do(s.staff, "GET", made.header.Get("Location"), nil).want(200)
	for _, a := range []*answer{made, read} {
		created := scan[string](s,
			`SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') FROM pickups WHERE id = $1`,
			a.str("id"))
		if a.str("window_start") != "2030-01-01T00:00:00.25Z" || a.str("created_at")[:len(created)] != created {
			t.Errorf("%s: %s, want the time of %s", a.request, a, created)
		}
	}
	located := s.do(s.driver, "PUT", "/v1/drivers/"+s.driverID.String()+"/location",
		object{"latitude": 1, "longitude": 1, "located_at": "2024-01-01T05:30:00+05:30"}).want(200)
	s.do(s.dispatcher, "GET", "/v1/drivers/"+s.driverID.String(), nil).want(200)
	if at := located.object()["driver"].(object)["located_at"].(string); at[len(at)-1] != 'Z' {
		t.Errorf("located_at is %s", at)
	}
}

// rightTimes maps valid times to the answer.
var rightTimes = map[string]string{
	"2030-01-01T00:00:00Z":                      "2030-01-01T00:00:00Z",
	"2030-01-01t00:00:00z":                      "2030-01-01T00:00:00Z", // RFC 3339, 5.6
	"2030-01-01T05:30:00+05:30":                 "2030-01-01T00:00:00Z",
	"2029-12-31T19:00:00-05:00":                 "2030-01-01T00:00:00Z",
	"2030-01-01T00:00:00-00:00":                 "2030-01-01T00:00:00Z",
	"2030-01-01T23:59:00+23:59":                 "2030-01-01T00:00:00Z",
	"2029-12-31T00:01:00-23:59":                 "2030-01-01T00:00:00Z",
	"2030-01-01T00:00:00.0Z":                    "2030-01-01T00:00:00Z",
	"2030-01-01T00:00:00.0000004Z":              "2030-01-01T00:00:00Z",
	"2030-01-01T00:00:00.5Z":                    "2030-01-01T00:00:00.5Z",
	"2030-01-01T00:00:00.50000000000000000001Z": "2030-01-01T00:00:00.5Z",
	"2028-02-29T23:59:59.999999+00:00":          "2028-02-29T23:59:59.999999Z",
	"1900-01-01T00:00:00Z":                      "1900-01-01T00:00:00Z",
	"9998-12-31T23:59:59Z":                      "9998-12-31T23:59:59Z",
}

// wrongTimes maps invalid times to a part of the error.
var wrongTimes = map[string]string{
	"2030-01-01T00:00:00+24:00": "RFC 3339", "2030-01-01T00:00:00-24:00": "RFC 3339",
	"2030-01-01T00:00:00+23:60": "RFC 3339",
	"2030-01-01T00:00:00+10:60": "RFC 3339", "2030-01-01T9:00:00Z": "RFC 3339", "2030-01-01T09:00:00,5Z": "RFC 3339",
	"2030-01-01T09:00:00.Z": "RFC 3339", "2030-01-01T09:00:00": "RFC 3339",
	"2030-01-01T09:00Z": "RFC 3339", "2030-01-01": "RFC 3339",
	"2030-1-01T09:00:00Z": "RFC 3339", "2030-01-01 09:00:00Z": "RFC 3339",
	"2030-01-01T24:00:00Z": "RFC 3339", "2030-02-30T00:00:00Z": "RFC 3339",
	"2029-02-29T00:00:00Z": "RFC 3339", "2030-00-01T00:00:00Z": "RFC 3339",
	"2030-13-01T00:00:00Z": "RFC 3339", "2030-01-00T00:00:00Z": "RFC 3339",
	"2030-01-01T00:60:00Z": "RFC 3339", "2030-01-01T00:00:61Z": "RFC 3339", "2030-01-01T09:00:00+1:00": "RFC 3339",
	"2030-01-01T09:00:00+0100": "RFC 3339",
	"2030-01-01T09:00:00+01":   "RFC 3339", "2030-01-01T09:00:00 +01:00": "RFC 3339",
	"2030-01-01T09:00:00Z ": "RFC 3339", " 2030-01-01T09:00:00Z": "RFC 3339",
	"2030-01-01T09:00:00ZZ": "RFC 3339", "2030-01-01T09:00:00+01:00Z": "RFC 3339",
	"+2030-01-01T09:00:00Z": "RFC 3339", "20300-01-01T09:00:00Z": "RFC 3339",
	"2030-01-01T09:00:0٠Z": "RFC 3339", "2030-01-01T09:00:00.5١Z": "RFC 3339", "2030-01-01T09:00:00−01:00": "RFC 3339",
	"1899-12-31T23:59:59Z": "1900", "9999-01-01T00:00:00Z": "9998", "1900-01-01T00:00:00+00:01": "1900",
	"9998-12-31T23:59:59-00:01": "9998",
	"2016-12-31T23:59:60Z":      "leap second", "2017-01-01T05:29:60.5+05:30": "leap second",
}

func TestTimesAreOfRFC3339AndNothingElse(t *testing.T) {
	t.Parallel()
	s := start(t)
	draft := s.pickup()
	location := "/v1/drivers/" + s.driverID.String() + "/location"
	appointments := "/v1/appointments?facility_id=" + s.facility.String() + "&to=2030-01-02T00:00:00Z&from="
	for _, to := range []struct {
		field string
		send  func(value string) *answer
	}{
		{"window_start", func(v string) *answer {
			return s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"window_start": v}))
		}},
		{"items[1].window_end", func(v string) *answer {
			items := []object{s.newPickup(), with(s.newPickup(), object{"window_end": v})}
			return s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items})
		}},
		{"window_end", func(v string) *answer {
			tag := s.do(s.staff, "GET", draft, nil).want(200).etag()
			return s.do(s.staff, "PATCH", draft, object{"window_end": v}, "If-Match", tag)
		}},
		{"located_at", func(v string) *answer {
			return s.do(s.driver, "PUT", location, object{"latitude": 1, "longitude": 1, "located_at": v})
		}},
		{"created_from", func(v string) *answer {
			return s.do(s.staff, "GET", "/v1/pickups?created_from="+url.QueryEscape(v), nil)
		}},
		{"created_to", func(v string) *answer {
			return s.do(s.staff, "GET", "/v1/pickups?created_to="+url.QueryEscape(v), nil)
		}},
		{"from", func(v string) *answer { return s.do(s.staff, "GET", appointments+url.QueryEscape(v), nil) }},
		{"as_of", func(v string) *answer { return s.feedAsOf(s.staff, v, []object{newRecord(1)}) }},
		{"[0].starts_at", func(v string) *answer {
			return s.feed(s.staff, []object{with(newRecord(1), object{"starts_at": v})})
		}},
		{"[0].ends_at", func(v string) *answer {
			return s.feed(s.staff, []object{with(newRecord(1), object{"ends_at": v})})
		}},
	} {
		for value, names := range wrongTimes {
			a := to.send(value).refused(422, "validation_failed", to.field)
			if !strings.Contains(a.str("detail"), names) {
				t.Errorf("%s is %q: %s", to.field, value, a)
			}
		}
		for value := range rightTimes { // the time may be too early or too late for the member
			if a := to.send(value); a.status >= 500 || strings.Contains(a.str("detail"), "RFC 3339") {
				t.Errorf("%s is %q: %s", to.field, value, a)
			}
		}
	}
	for value, want := range rightTimes {
		a := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"window_start": value})).want(201)
		if a.str("window_start") != want {
			t.Errorf("%s is returned as %s, want %s", value, a.str("window_start"), want)
		}
	}
}

func TestPlainPlusInAQueryIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{
		"/v1/facilities/" + s.facility.String() + "/appointments/sync?as_of=2026-01-01T00:00:00+02:00",
		"/v1/facilities/" + s.facility.String() + "/appointments/sync?as_of=2026-01-01T00:00:00.5%2002:00",
		"/v1/pickups?created_from=2026-01-01T00:00:00+02:00",
		"/v1/appointments?facility_id=" + s.facility.String() +
			"&to=2030-01-02T00:00:00Z&from=2030-01-01T00:00:00+02:00",
	} {
		method, body := "GET", any(nil)
		if strings.Contains(path, "sync") {
			method, body = "POST", []object{newRecord(1)}
		}
		if a := s.do(s.staff, method, path, body).
			refused(422, "validation_failed"); !strings.Contains(a.str("detail"), "%2B") {
			t.Errorf("%s: %s", path, a)
		}
		s.do(s.staff, method, strings.NewReplacer("+", "%2B", "%20", "%2B").Replace(path), body).want(200)
	}
}

func TestSameInstantIsTheSameRequest(t *testing.T) {
	t.Parallel()
	s := start(t)
	window := func(from, to string) object {
		return with(s.newPickup(), object{"id": newID(), "window_start": from, "window_end": to})
	}
	one := window("2030-01-01T00:00:00Z", "2030-01-01T01:00:00.5Z")
	s.do(s.staff, "POST", "/v1/pickups", one).fresh(201)
	items := []object{one, window("2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z")}
	s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items}).fresh(201)
	for _, same := range []object{
		{"window_start": "2030-01-01T05:30:00+05:30"}, {"window_start": "2029-12-31t19:00:00-05:00"},
		{"window_end": "2030-01-01T01:00:00.500Z"}, {"window_end": "2030-01-01T02:00:00.5000001+01:00"},
	} {
		s.do(s.staff, "POST", "/v1/pickups", with(one, same)).replayed()
		s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": []object{with(one, same), items[1]}}).replayed()
	}
	s.do(s.staff, "POST", "/v1/pickups", with(one, object{"window_end": "2030-01-01T01:00:00.500001Z"})).
		refused(409, "id_reused", "id")
}

// parseTime and Go parse the same instants, and it accepts what Go formats.
func TestTimesAreReadAsGoReadsThem(t *testing.T) {
	t.Parallel()
	const signs = "0123456789TZtz:+-. ,"
	r := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 200_000 {
		zone := time.FixedZone("", 60*(r.IntN(2*1439+1)-1439))
		at := time.Unix(r.Int64N(4e9), r.Int64N(1e9)).In(zone)
		text := at.Format(time.RFC3339Nano)
		if got, wrong := api.ParseTime(text); wrong != "" || !got.Equal(at.Truncate(time.Microsecond)) {
			t.Fatalf("%s is read as %s (%s)", text, got, wrong)
		}
		odd := []byte(text)
		for range 1 + r.IntN(2) {
			odd[r.IntN(len(odd))] = signs[r.IntN(len(signs))]
		}
		got, wrong := api.ParseTime(string(odd))
		if wrong != "" {
			continue
		}
		taken++
		if want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(string(odd))); err != nil ||
			!got.Equal(want.Truncate(time.Microsecond)) {
			t.Fatalf("%s is read as %s, and by Go as %s (%v)", odd, got, want, err)
		}
	}
	if taken == 0 {
		t.Error("none of the changed times was accepted")
	}
}
