package api_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/api"
	"waybill/db"
)

// roomy has enough connections for many concurrent callers.
func roomy(c *db.Config, _ *api.Options) { c.MaxConns = 20 }

func TestCreatedPickupIsADraftOfItsRequester(t *testing.T) {
	t.Parallel()
	s := start(t)
	full := with(s.newPickup(), object{
		"id": newID(), "pickup_latitude": 37.5, "pickup_longitude": -122.5, "note": "Ring twice",
		"window_start": "2030-01-02T03:04:05+02:00", "window_end": "2030-01-02T06:00:00.123456Z",
	})
	a := s.do(s.staff, "POST", "/v1/pickups", full).fresh(201)
	o := a.object()
	for name, want := range full {
		if !strings.HasPrefix(name, "window") && fmt.Sprint(o[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, o[name], want)
		}
	}
	if o["status"] != "DRAFT" || o["requested_by"] != s.staff.id.String() || o["version"] != 1.0 {
		t.Errorf("got %s", a)
	}
	for name, want := range map[string]string{"window_start": "2030-01-02T01:04:05Z",
		"window_end": "2030-01-02T06:00:00.123456Z"} {
		got, err := time.Parse(time.RFC3339Nano, a.str(name))
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s is %v (%v), want %s", name, got, err, want)
		}
	}
	if got := s.do(s.staff, "GET", a.header.Get("Location"), nil).
		want(200); string(got.body) != string(a.body) || got.etag() != a.etag() {
		t.Errorf("Location returns %s", got)
	}
}

func TestCreateRepeatedIsOnePickup(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := with(s.newPickup(), object{"id": newID()})
	create := func(as *user, body object) *answer { return s.do(as, "POST", "/v1/pickups", body) }
	first := create(s.staff, body).fresh(201)
	create(s.staff, body).replayed()
	create(s.staff, with(body, object{"note": "other"})).refused(409, "id_reused", "id")
	create(s.dispatcher, body).refused(409, "id_reused", "id")
	path := first.header.Get("Location")
	s.do(s.staff, "PATCH", path, object{"note": "edited"}, "If-Match", first.etag()).want(200)
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	if again := create(s.staff, body).replayed(); again.str("status") != "SUBMITTED" || again.str("note") != "edited" {
		t.Errorf("the replay returns %s", again)
	}
	create(s.staff, with(body, object{"note": "edited"})).refused(409, "id_reused")
	answers := atOnce(16, func(int) *answer {
		return create(s.staff, with(body, object{"id": "01890000-0000-7000-8000-000000000001"}))
	})
	if got := tally(answers); got["201"] != 1 || got["200 replayed"] != 15 {
		t.Errorf("concurrent requests: %v", got)
	}
}

func TestCreateNamesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		as      *user
		changes object
		code    string
		field   string
	}{
		{s.staff, object{"facility_id": newID()}, "facility_not_found", "facility_id"},
		{s.staff, object{"facility_id": s.hidden}, "facility_not_found", "facility_id"},
		{s.dispatcher, object{"facility_id": s.foreign.facility}, "facility_not_found", "facility_id"},
		{s.staff, object{"account_id": newID()}, "account_not_found", "account_id"},
		{s.staff, object{"account_id": s.foreign.account}, "account_not_found", "account_id"},
		{s.staff, object{"price_cents": -1}, "validation_failed", "price_cents"},
		{s.staff, object{"price_cents": 9007199254740992}, "validation_failed", "price_cents"},
		{s.staff, object{"pickup_address": "   "}, "validation_failed", "pickup_address"},
		{s.staff, object{"dropoff_address": "\t\n"}, "validation_failed", "dropoff_address"},
		{s.staff, object{"note": " "}, "validation_failed", "note"},
		{s.staff, object{"note": ""}, "validation_failed", "note"},
		{s.staff, object{"pickup_address": strings.Repeat("ä", 501)}, "validation_failed", "pickup_address"},
		{s.staff, object{"pickup_latitude": 1.0}, "validation_failed", "pickup_longitude"},
		{s.staff, object{"pickup_longitude": 1.0}, "validation_failed", "pickup_latitude"},
		{s.staff, object{"pickup_latitude": 90.1, "pickup_longitude": 1}, "validation_failed", "pickup_latitude"},
		{s.staff, object{"window_start": "2030-01-02T00:00:00Z", "window_end": "2030-01-01T00:00:00Z"},
			"validation_failed", "window_end"},
		{s.staff, object{"window_start": "2030-01-02T00:00:00Z", "window_end": "2030-01-02T00:00:00Z"},
			"validation_failed", "window_end"},
		{s.staff, object{"window_start": "0001-01-01T00:00:00Z"}, "validation_failed", "window_start"},
		{s.staff, object{"window_end": "0001-01-01T00:00:00Z"}, "validation_failed", "window_end"},
		{s.staff, object{"window_end": "9999-12-31T23:59:59-14:00"}, "validation_failed", "window_end"},
		{s.staff, object{"window_start": "0000-01-01T00:00:00+14:00"}, "validation_failed", "window_start"},
	} {
		body := with(s.newPickup(), c.changes)
		a := s.do(c.as, "POST", "/v1/pickups", body)
		if a.status != 422 || a.str("code") != c.code {
			t.Errorf("%v: got %s, want %s", c.changes, a, c.code)
		} else if field := a.str("field"); field != c.field {
			t.Errorf("%v: field %q, want %q", c.changes, field, c.field)
		}
		batch := s.do(c.as, "POST", "/v1/pickups/batch", object{"items": []object{s.newPickup(), s.newPickup(), body}})
		if batch.status != 422 || batch.str("code") != c.code || batch.str("field") != "items[2]."+c.field {
			t.Errorf("in a batch, %v: got %s", c.changes, batch)
		}
		one := s.do(c.as, "POST", "/v1/pickups/batch", object{"items": []object{body}})
		if one.status != 422 || one.str("field") != "items[0]."+c.field {
			t.Errorf("alone in a batch, %v: got %s", c.changes, one)
		}
	}
	if n := scan[int](s, "SELECT count(*) FROM pickups"); n != 0 {
		t.Errorf("%d pickups were created", n)
	}
	s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"pickup_address": strings.Repeat("ä", 500)})).
		want(201)
}

func (t *tenant) batch(n int) []object {
	items := make([]object, n)
	for i := range items {
		items[i] = with(t.newPickup(), object{"id": uuid.New(), "note": fmt.Sprint("item ", i)})
	}
	return items
}

func TestBatchAnswersInTheOrderAsked(t *testing.T) {
	t.Parallel()
	s := start(t)
	items := s.batch(1000 / raceFactor)
	send := func(items []object) *answer {
		return s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items})
	}
	check := func(a *answer) {
		t.Helper()
		got := a.items()
		if len(got) != len(items) {
			t.Fatalf("%d items", len(got))
		}
		for i := range items {
			if got[i]["note"] != items[i]["note"] || got[i]["id"] != items[i]["id"].(uuid.UUID).String() {
				t.Fatalf("item %d is %v", i, got[i])
			}
		}
	}
	check(send(items).fresh(201))
	check(send(items).replayed())
	slices.Reverse(items)
	check(send(items).replayed())
	items = append(items[:10:10], s.batch(5)...)
	check(send(items).fresh(201)) // some are known, some new
	check(send(items).replayed())
	s.do(s.staff, "POST", "/v1/pickups", items[0]).replayed()
	send(s.batch(1001)).refused(422, "validation_failed", "items")
	send(nil).refused(422, "validation_failed", "items")
	send([]object{}).refused(422, "validation_failed", "items")
}

func TestBatchIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	send := func(items []object) *answer {
		return s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items})
	}
	items := s.batch(10)
	items[7]["account_id"] = newID()
	send(items).refused(422, "account_not_found", "items[7].account_id")
	items[7]["account_id"] = s.account
	items[3]["facility_id"] = s.hidden
	send(items).refused(422, "facility_not_found", "items[3].facility_id")
	items[3]["facility_id"] = s.facility
	items[9]["id"] = items[2]["id"]
	send(items).refused(422, "validation_failed", "items[9].id")
	items[9]["id"] = newID()
	used := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"id": items[5]["id"]})).want(201)
	send(items).refused(409, "id_reused", "items[5].id")
	items[4] = with(items[4], object{"price_cents": nil})
	send(items).refused(422, "validation_failed", "items[4].price_cents")
	items[4] = with(items[4], object{"price_cents": 5, "extra": 1})
	send(items).refused(422, "unknown_field", "items[4].extra")
	if ids := s.do(s.staff, "GET", "/v1/pickups", nil).ids(); len(ids) != 1 || ids[0] != used.str("id") {
		t.Errorf("pickups: %v", ids)
	}
}

func TestBatchesAtOnceMakeEachPickupOnce(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	items := s.batch(20)
	answers := atOnce(8, func(i int) *answer {
		mine := slices.Clone(items)
		if i%2 == 1 {
			slices.Reverse(mine)
		}
		return s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": mine})
	})
	if got := tally(answers); got["201"] != 1 || got["200 replayed"] != 7 {
		t.Errorf("got %v", got)
	}
	if n := scan[int](s, "SELECT count(*) FROM pickups"); n != 20 {
		t.Errorf("%d pickups, want 20", n)
	}
}

// pickupEdits are edits, one after the other, and the members that they change.
var pickupEdits = []struct {
	body string
	want object
}{
	{`{"note": null}`, object{"note": nil}},
	{`{"note": "Knock"}`, object{"note": "Knock"}},
	{`{"pickup_latitude": null, "pickup_longitude": null}`,
		object{"pickup_latitude": nil, "pickup_longitude": nil}},
	{`{"pickup_latitude": 1.5, "pickup_longitude": 2.5}`, object{"pickup_latitude": 1.5, "pickup_longitude": 2.5}},
	{`{"window_start": null}`, object{"window_start": nil}},
	{`{"window_start": "2030-01-02T03:00:00Z"}`, object{"window_start": "2030-01-02T03:00:00Z"}},
	{`{"price_cents": 7}`, object{"price_cents": 7.0}},
	{`{"pickup_address": "3 New St"}`, object{"pickup_address": "3 New St"}},
}

// wrongPickupEdits are edits that are refused, with the problem's code and field.
var wrongPickupEdits = map[string][2]string{
	`{"pickup_latitude": null}`:                     {"validation_failed", "pickup_longitude"},
	`{"pickup_longitude": null}`:                    {"validation_failed", "pickup_longitude"},
	`{"pickup_latitude": 91}`:                       {"validation_failed", "pickup_latitude"},
	`{"price_cents": null}`:                         {"validation_failed", "price_cents"},
	`{"pickup_address": null}`:                      {"validation_failed", "pickup_address"},
	`{"pickup_address": "  "}`:                      {"validation_failed", "pickup_address"},
	`{"facility_id": null}`:                         {"validation_failed", "facility_id"},
	`{"note": ""}`:                                  {"validation_failed", "note"},
	`{"note": "  "}`:                                {"validation_failed", "note"},
	`{"window_end": "0001-01-01T00:00:00Z"}`:        {"validation_failed", "window_end"},
	`{"window_end": "9999-12-31T23:59:59-14:00"}`:   {"validation_failed", "window_end"},
	`{"window_start": "0000-01-01T00:00:00+14:00"}`: {"validation_failed", "window_start"},
	`{"window_start":"2030-01-02T00:00:00Z","window_end":"2030-01-01T00:00:00Z"}`: {
		"validation_failed", "window_end"},
	`{"window_end": "2030-01-02T03:00:00Z"}`:   {"validation_failed", "window_end"},
	`{"window_start": "2030-01-02T06:00:00Z"}`: {"validation_failed", "window_end"},
	`{"status": "SUBMITTED"}`:                  {"read_only_field", "status"},
	`{"driver_id": null}`:                      {"read_only_field", "driver_id"},
}

func TestEditChangesWhatIsSentAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	full := with(s.newPickup(), object{
		"pickup_latitude": 37.5, "pickup_longitude": -122.5, "note": "Ring twice",
		"window_start": "2030-01-02T03:00:00Z", "window_end": "2030-01-02T06:00:00Z",
	})
	made := s.do(s.staff, "POST", "/v1/pickups", full).want(201)
	path, tag := made.header.Get("Location"), made.etag()
	edit := func(body any) *answer { return s.do(s.staff, "PATCH", path, body, "If-Match", tag) }
	now := made.object()
	for _, c := range pickupEdits {
		a := edit(c.body).want(200)
		for name, v := range c.want {
			now[name] = v
		}
		got := a.object()
		for name, v := range now {
			if name != "version" && name != "updated_at" && got[name] != v {
				t.Errorf("after %s, %s is %v, want %v", c.body, name, got[name], v)
			}
		}
		if a.etag() == tag {
			t.Errorf("%s did not change the ETag", c.body)
		}
		tag = a.etag()
	}
	unknown := func(member string, id uuid.UUID, code string) {
		edit(object{member: id}).refused(422, code, member)
	}
	unknown("facility_id", s.hidden, "facility_not_found")
	unknown("facility_id", newID(), "facility_not_found")
	unknown("account_id", s.foreign.account, "account_not_found")
	for body, want := range wrongPickupEdits {
		a := edit(body)
		if a.status != 422 || a.str("code") != want[0] || a.str("field") != want[1] {
			t.Errorf("%s: got %s, want %v", body, a, want)
		}
	}
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	tag = s.do(s.staff, "GET", path, nil).etag()
	if a := edit(`{"note": "late"}`).refused(409, "not_editable"); a.str("current_status") != "SUBMITTED" {
		t.Errorf("got %s", a)
	}
}

func TestListPickupsFilters(t *testing.T) {
	t.Parallel()
	s := start(t)
	draft := s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.facility, uuid.Nil).String()
	hidden := s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.hidden, uuid.Nil).String()
	collected := s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, s.driverID).String()
	s.exec("UPDATE pickups SET created_at = '2024-01-01T00:00:00Z' WHERE id = $1", draft)
	s.exec("UPDATE pickups SET created_at = '2024-02-01T00:00:00Z' WHERE id = $1", hidden)
	s.exec(`UPDATE pickups SET note = 'Two vials: frágil', window_start = '2030-01-01T08:00:00Z',
		window_end = '2030-01-01T09:00:00Z' WHERE id = $1`, draft)
	for query, want := range map[string][]string{
		"":                                 {collected, hidden, draft},
		"status=DRAFT":                     {hidden, draft},
		"status=CANCELED":                  {},
		"status=COLLECTED&status=CANCELED": {collected},
		"status=DRAFT&status=COLLECTED":    {collected, hidden, draft},
		"sort=newest":                      {collected, hidden, draft},
		"sort=oldest":                      {draft, hidden, collected},
		"sort=oldest&status=DRAFT":         {draft, hidden},
		"sort=longest_waiting":             {collected},
		"account_id=" + s.account.String(): {collected, hidden, draft},
		"account_id=" + newID().String():   {},
		"patient_id=" + newID().String():   {},
		"requested_by=" + newID().String(): {},
		"text=vials":                       {draft},
		"text=VI%20fr%C3%A1gil":            {draft},
		"text=vials%20frozen":              {},
		"window_from=2030-01-01T00:00:00Z&window_to=2030-01-02T00:00:00Z":                 {draft},
		"window_from=2030-01-02T00:00:00Z":                                                {},
		"facility_id=" + s.facility.String():                                              {collected, draft},
		"driver_id=" + s.driverID.String():                                                {collected},
		"driver_id=" + newID().String():                                                   {},
		"created_from=2024-01-01T00:00:00Z&created_to=2024-02-01T00:00:00Z":               {draft},
		"created_from=2024-01-01T00:00:00.000001Z&created_to=2024-02-01T00:00:00.000001Z": {hidden},
		"created_from=" + url.QueryEscape("2024-02-01T05:00:00+05:00"): {collected,
			hidden},
		"created_to=2023-01-01T00:00:00Z": {},
		"status=DRAFT&facility_id=" + s.hidden.String() + "&created_from=2024-01-15T00:00:00Z&limit=10": {hidden},
	} {
		got := s.do(s.admin, "GET", "/v1/pickups?"+query, nil).want(200).ids()
		if !slices.Equal(got, want) {
			t.Errorf("%s lists %v, want %v", query, got, want)
		}
	}
	for query, field := range map[string]string{
		"status=draft": "status[0]", "status=": "status", "status=DRAFT&status=": "status",
		"sort=oldest&sort=newest": "sort", "status=DRAFT&status=x": "status[1]",
		"sort=random": "sort", "text=%20": "text", "account_id=1": "account_id",
		"window_from=2024-02-01T00:00:00Z&window_to=2024-02-01T00:00:00Z":   "window_to",
		"created_from=2024-02-02T00:00:00Z&created_to=2024-02-01T00:00:00Z": "created_to",
		"facility_id=1":                  "facility_id",
		"driver_id=" + uuid.Nil.String(): "driver_id",
		"created_from=yesterday":         "created_from", "created_from=2024-02-30T00:00:00Z": "created_from",
		"created_to=2024-01-01":                  "created_to",
		"created_from=2024-01-01T00:00:00+05:00": "created_from", // the plus is a space
	} {
		s.do(s.admin, "GET", "/v1/pickups?"+query, nil).refused(422, "validation_failed", field)
	}
}

func TestAListOfEveryStatus(t *testing.T) {
	t.Parallel()
	s := start(t)
	draft := s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.facility, uuid.Nil).String()
	every := "/v1/pickups?limit=200"
	for _, status := range db.AllPickupStatusValues() {
		every += "&status=" + string(status)
	}
	if got := s.do(s.admin, "GET", every, nil).want(200).ids(); !slices.Equal(got, []string{draft}) {
		t.Errorf("of every status: %v", got)
	}
	s.do(s.admin, "GET", every+"&status=DRAFT", nil).refused(422, "validation_failed", "status")
}

func TestPickupNotModified(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	tag := s.do(s.staff, "GET", path, nil).etag()
	for _, have := range []string{tag, "W/" + tag, `"9", ` + tag, "*", `"x",W/` + tag + ` , "y"`} {
		a := s.do(s.staff, "GET", path, nil, "If-None-Match", have).want(304)
		if a.etag() != tag || len(a.body) > 0 {
			t.Errorf("304 has ETag %s and body %q", a.etag(), a.body)
		}
	}
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	s.do(s.staff, "GET", path, nil, "If-None-Match", tag).want(200)
	s.do(s.stranger, "GET", path, nil, "If-None-Match", "*").refused(404, "not_found")
}

// A cursor belongs to its order: in another it would skip rows.
func TestACursorOfPickupsBelongsToItsSort(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 3 {
		s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, uuid.Nil)
	}
	for _, sort := range []string{"newest", "oldest", "longest_waiting"} {
		path := "/v1/pickups?limit=1&sort=" + sort
		whole := s.do(s.admin, "GET", "/v1/pickups?sort="+sort, nil).want(200).ids()
		var got []string
		for next := path; next != ""; {
			a := s.do(s.admin, "GET", next, nil).want(200)
			got, next = append(got, a.ids()...), ""
			if cursor := a.str("next_cursor"); cursor != "" {
				next = path + "&cursor=" + cursor
			}
		}
		if len(whole) != 3 || !slices.Equal(got, whole) {
			t.Errorf("%s: the pages have %v, want %v", sort, got, whole)
		}
		cursor := s.do(s.admin, "GET", path, nil).str("next_cursor")
		for _, other := range []string{"newest", "oldest", "longest_waiting"} {
			if other != sort {
				s.do(s.admin, "GET", "/v1/pickups?sort="+other+"&cursor="+cursor, nil).
					refused(422, "validation_failed", "cursor")
			}
		}
	}
}

// A search goes on after a pickup that it has looked at, which its viewer may not see: its cursor says nothing of it,
// and no more with what its viewer knows, which is the session's token.
func TestACursorOfASearchSaysNothingOfWhereItEnded(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	s.exec(`INSERT INTO pickups (tenant_id, id, facility_id, account_id, requested_by, price_cents, pickup_address,
			dropoff_address, request_digest, created_at)
		SELECT $1, md5(($1::uuid)::text || n)::uuid, $2, $3, $4, 0, 'Mission St', 'Lab', '',
			now() - n * interval '1 second'
		FROM generate_series(1, 600) AS n`, s.tenant.id, s.facility, s.account, s.staff.id)
	s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, s.driverID)
	rows, err := s.base.Owner().Query(t.Context(),
		"SELECT created_at, id FROM pickups WHERE tenant_id = $1", s.tenant.id)
	s.must(err)
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.PickupPlace])
	s.must(err)
	by := "requested_by=" + s.staff.id.String()
	again := map[*user]*user{s.hub: s.loggedInAgain(s.hub), s.admin: s.loggedInAgain(s.admin)}
	seen := 0
	for query, viewers := range map[string][]*user{
		by: {s.hub, s.admin}, by + "&sort=oldest": {s.hub, s.admin}, "text=mission": {s.admin},
		"status=DRAFT&status=COLLECTED": {s.admin}, "account_id=" + s.account.String(): {s.admin},
		"sort=oldest": {s.admin}, "window_from=2030-01-01T00:00:00Z": {s.admin},
	} {
		for _, as := range viewers {
			path := "/v1/pickups?limit=2&" + query
			cursor := s.do(as, "GET", path, nil).want(200).str("next_cursor")
			if cursor == "" {
				continue
			}
			seen++
			raw, err := base64.RawURLEncoding.DecodeString(cursor)
			s.must(err)
			for _, p := range places {
				at := binary.BigEndian.AppendUint64(nil, uint64(p.At.UnixMicro()))
				if bytes.Contains(raw, p.ID[:]) || bytes.Contains(raw, at) {
					t.Errorf("%s by %s: the cursor tells of the pickup %s", query, as.role, p.ID)
				}
			}
			s.do(as, "GET", path+"&cursor="+cursor, nil).want(200)
			s.do(as, "GET", "/v1/pickups?limit=3&"+query+"&cursor="+cursor, nil).want(200)
			s.do(as, "GET", path+"&driver_id="+newID().String()+"&cursor="+cursor, nil).
				refused(422, "validation_failed", "cursor")
			if place, err := s.openedBy(as.token, raw); err == nil {
				t.Errorf("%s by %s: the token alone opens the cursor: %x", query, as.role, place)
			}
			s.do(again[as], "GET", path+"&cursor="+cursor, nil).refused(422, "validation_failed", "cursor")
			s.do(as, "GET", "/v1/pickups?limit=2&cursor="+cursor, nil).refused(422, "validation_failed", "cursor")
		}
	}
	if seen < 9 {
		t.Errorf("%d searches go on", seen)
	}
	// Who lists what their role never sees is not led through it either.
	if a := s.do(s.hub, "GET", "/v1/pickups?limit=2&status=DRAFT&"+by, nil).want(200); len(a.ids()) > 0 ||
		a.str("next_cursor") != "" {
		t.Errorf("the hub lists drafts: %s", a)
	}
}

// loggedInAgain returns a user with another session.
func (s *server) loggedInAgain(as *user) *user {
	again := *as
	again.token = s.login(as.email, password).want(201).str("token")
	return &again
}

// openedBy opens a cursor with a key that is derived from a token alone.
func (s *server) openedBy(token string, cursor []byte) ([]byte, error) {
	for _, label := range []string{"waybill cursors of searches\x00", "cursors of searches\x00"} {
		plain := sha256.Sum256([]byte(label + token))
		keyed := hmac.New(sha256.New, nil)
		keyed.Write([]byte(label + token))
		for _, key := range [][]byte{plain[:], keyed.Sum(nil)} {
			block, err := aes.NewCipher(key)
			s.must(err)
			sealer, err := cipher.NewGCMWithRandomNonce(block)
			s.must(err)
			if place, err := sealer.Open(nil, nil, cursor[4:], cursor[:4]); err == nil {
				return place, nil
			}
		}
	}
	return nil, errors.New("no key opens it")
}

// Nobody finds a pickup by what they are not shown of it.
func TestWhatIsNotShownFindsNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, s.driverID)
	patient := s.plantPatient(planted{}, s.tenant, s.facility, nil)
	s.exec(`UPDATE pickups SET note = 'secretword', pickup_address = 'Openword 1', patient_id = $2 WHERE id = $1`, id,
		patient)
	account := "account_id=" + s.account.String()
	found := map[string][]*user{
		"text=openword":                  {s.admin, s.dispatcher, s.staff, s.tenant.driver, s.hub},
		"text=secret":                    {s.admin, s.dispatcher, s.staff, s.tenant.driver},
		account:                          {s.admin, s.dispatcher, s.staff},
		"patient_id=" + patient.String(): {s.admin, s.dispatcher, s.staff, s.tenant.driver},
	}
	for query, by := range found {
		for _, sort := range []string{"", "&sort=oldest", "&sort=longest_waiting"} {
			for _, as := range []*user{s.admin, s.dispatcher, s.staff, s.tenant.driver, s.hub, s.stranger, s.rival,
				s.foreign.admin} {
				got := s.do(as, "GET", "/v1/pickups?"+query+sort, nil).want(200)
				if slices.Contains(by, as) != (len(got.ids()) == 1) || got.str("next_cursor") != "" {
					t.Errorf("%s by %s finds %s", query+sort, as.role, got)
				}
			}
		}
	}
}
