package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waybill/db"
)

func (s *server) feedsPath() string { return "/v1/facilities/" + s.facility.String() + "/feeds" }

// Each invalid record is told by its position, in one problem; none of its values is, in the answer, in the report or
// in the log (which the canaries of all tests watch over).
func TestAFeedIsRefusedWithAllOfItsErrors(t *testing.T) {
	t.Parallel()
	s := start(t)
	right := func(n int) object { return newRecord(n) }
	late := with(right(4), object{"ends_at": right(4)["starts_at"]})
	born := with(right(2), object{"patient": with(right(2)["patient"].(object), object{"birth_date": newCanary()})})
	odd := with(right(1), object{canary + "Ada": 1})
	for form, body := range map[string]any{
		"an array": []object{right(0), odd, born, right(3), late, right(0)},
		"lines":    asLines(right(0), odd, born, right(3), late, right(0)),
	} {
		headers := []string{}
		if form == "lines" {
			headers = []string{"Content-Type", "application/x-ndjson"}
		}
		a := s.feed(s.staff, body, headers...).refused(422, "unknown_field")
		var p struct {
			Field, Detail string
			Errors        []struct {
				Record              int
				Field, Code, Detail string
			}
		}
		s.must(json.Unmarshal(a.body, &p))
		var got []string
		for _, e := range p.Errors {
			got = append(got, fmt.Sprint(e.Record, e.Field, e.Code))
		}
		want := []string{"1unknown_field", "2patient.birth_datevalidation_failed", "4ends_atvalidation_failed",
			"5external_idvalidation_failed"}
		for i := range got { // the name of the unknown member is told, since the document has no other way to find it
			if strings.HasPrefix(got[i], "1"+canary) {
				got[i] = "1unknown_field"
			}
		}
		if !slices.Equal(got, want) || !strings.HasPrefix(p.Field, "[1]") || p.Detail != p.Errors[0].Detail {
			t.Errorf("%s: %v of field %s, %s; want %v", form, got, p.Field, a, want)
		}
		for _, feed := range s.do(s.admin, "GET", s.feedsPath(), nil).want(200).items() {
			if err := noCanary(mustJSON(feed)); err != nil {
				t.Errorf("%s: the report %v", form, err)
			}
		}
	}
	stored := scan[string](s, "SELECT string_agg(r::text, ' ') FROM feed_reports AS r")
	if err := noCanary([]byte(stored)); err != nil {
		t.Errorf("the table %v", err)
	}
}

func TestAFeedThatIsNoListIsReportedAndManyErrorsAreCut(t *testing.T) {
	t.Parallel()
	s := start(t)
	broken := s.feed(s.staff, `[{"external_id": 1}, {"external_id": `).refused(422, "validation_failed")
	if errs := broken.object()["errors"].([]any); len(errs) != 2 ||
		errs[1].(object)["code"] != "unreadable_body" {
		t.Errorf("a list that is cut: %s", broken)
	}
	s.feed(s.staff, `{}`).refused(400, "unreadable_body")
	if last := s.do(s.staff, "GET", s.feedsPath(), nil).want(200).items()[0]; last["code"] != "unreadable_body" ||
		len(last["errors"].([]any)) != 0 {
		t.Errorf("of what is no list is reported %v", last)
	}
	many := make([]object, 150)
	for i := range many {
		many[i] = object{}
	}
	if errs := s.feed(s.staff, many).refused(422, "validation_failed").object()["errors"].([]any); len(errs) != 100 {
		t.Errorf("told of %d records", len(errs))
	}
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func TestTheLastFeedsOfAFacilityAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	records := make([]object, 24)
	for i := range records {
		records[i] = newRecord(i)
	}
	first := s.feedAsOf(s.staff, "2026-01-05T06:00:00Z", records).want(200)
	s.feedAsOf(s.staff, "2026-01-05T05:00:00Z", records).want(200)
	mass := s.feedAsOf(s.staff, "2026-01-05T07:00:00Z", records[:3]).refused(409, "mass_cancellation")
	if mass.str("would_cancel") != "21" || mass.str("current_appointments") != "24" {
		t.Errorf("the suspicious list: %s", mass)
	}
	path := "/v1/facilities/" + s.facility.String() + "/appointments/sync?as_of=2026-01-05T07:00:00Z"
	if came := s.do(s.staff, "POST", path+"&records=9", records).refused(422, "records_mismatch"); came.
		str("records") != "24" {
		t.Errorf("another number of records: %s", came)
	}
	state := "SELECT concat((SELECT count(*) FROM feed_reports), (SELECT string_agg(a::text, '' ORDER BY id) FROM " +
		"appointments AS a), (SELECT as_of FROM appointment_feeds), (SELECT count(*) FROM phi_reads))"
	before := scan[string](s, state)
	tried := s.do(s.staff, "POST", path+"&dry_run=true", append(records[:20:20], newRecord(30))).want(200)
	if tried.counts() != "1 0 20 4 false" || tried.header.Get("Dry-Run") != "true" || scan[string](s, state) != before {
		t.Errorf("the dry run: %s", tried)
	}
	s.do(s.staff, "POST", path+"&dry_run=true", records[:3]).refused(409, "mass_cancellation")
	s.do(s.staff, "POST", path+"&dry_run=maybe", records[:3]).refused(422, "validation_failed", "dry_run")
	if scan[string](s, state) != before {
		t.Error("a dry run has written")
	}
	for _, as := range []*user{s.admin, s.dispatcher, s.staff} {
		list := s.do(as, "GET", s.feedsPath(), nil).want(200).items()
		var got []string
		for _, f := range list {
			got = append(got, fmt.Sprintln(f["outcome"], f["code"], f["records"],
				f["created"], f["unchanged"], f["canceled"],
				f["superseded"], f["current_appointments"], f["errors"]))
			if f["actor_id"] != s.staff.id.String() {
				t.Errorf("by %v", f["actor_id"])
			}
		}
		want := []string{"REFUSED records_mismatch 24 0 0 0 false <nil> []\n",
			"REFUSED mass_cancellation 3 0 3 21 false 24 []\n", "SUPERSEDED <nil> 24 0 0 0 true <nil> []\n",
			"APPLIED <nil> 24 24 0 0 false <nil> []\n"}
		if !slices.Equal(got, want) {
			t.Errorf("%s reads\n%q\nwant\n%q", as.role, got, want)
		}
	}
	page := s.do(s.staff, "GET", s.feedsPath()+"?limit=3", nil).want(200)
	rest := s.do(s.staff, "GET", s.feedsPath()+"?limit=3&cursor="+page.str("next_cursor"), nil).want(200)
	if left := rest.items(); len(left) != 1 || rest.str("next_cursor") != "" || left[0]["outcome"] != "APPLIED" ||
		fmt.Sprint(left[0]["created"]) != first.str("created") {
		t.Errorf("the last page: %s", rest)
	}
	s.do(s.stranger, "GET", s.feedsPath(), nil).refused(404, "not_found")
	for _, as := range []*user{s.driver, s.hub} {
		s.do(as, "GET", s.feedsPath(), nil).refused(403, string(db.Forbidden))
	}
}
