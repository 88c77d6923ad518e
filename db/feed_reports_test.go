package db_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// reporting returns the report of a list of v's, which was applied.
func (w *fixture) reporting(v db.Viewer, facility uuid.UUID) db.CreateFeedReportParams {
	return db.CreateFeedReportParams{
		TenantID: w.tenant, ID: newID(), FacilityID: facility, ViewerID: v.UserID, AsOf: feedDay,
		Outcome: db.FeedOutcomeAPPLIED, ErrorRecords: []int32{}, ErrorFields: []string{}, ErrorCodes: []string{},
	}
}

func (w *fixture) reports(ctx context.Context) []db.FeedReport {
	return must(w.as.ListFeedReports(ctx, db.ListFeedReportsParams{TenantID: w.tenant, FacilityID: w.facility,
		ViewerRole: db.UserRoleAdmin, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max, MaxRows: 200}))
}

var feedReportRaces = []check{
	{"CreateFeedReport", "a report is written by somebody who does not see the facility",
		func(ctx context.Context, w *fixture) error {
			w.shows(ctx, w.staff, w.facility) // by two groups
			for _, c := range []struct {
				v        db.Viewer
				facility uuid.UUID
				want     int64
			}{{w.staff, w.facility, 1}, {w.stranger, w.facility, 0}, {w.staff, w.hidden, 0}} {
				n, err := w.CreateFeedReport(ctx, w.reporting(c.v, c.facility))
				if err != nil || n != c.want {
					return fmt.Errorf("%d reports by %v, want %d: %w", n, c.v.UserID, c.want, err)
				}
			}
			if got := w.reports(ctx); len(got) != 1 || got[0].ActorID != w.staff.UserID {
				return fmt.Errorf("the reports are %v", got)
			}
			return nil
		}},
	{"SweepFeedReports", "a report is swept away that is not old", func(ctx context.Context, w *fixture) error {
		// Older ones and newer ones of another facility, and of ours in another order than they were written in.
		const fill = `INSERT INTO feed_reports
			SELECT $1, gen_random_uuid(), $2, $3, now(), 'APPLIED', NULL, 0, 0, 0, 0, 0, 0, NULL, '{}', '{}', '{}',
				now() + make_interval(mins => n)
			FROM generate_series($4::int, $5, $6) AS n`
		for _, c := range []struct {
			facility       uuid.UUID
			from, to, step int
		}{{w.hidden, -9, -5, 1}, {w.facility, 104, 1, -1}, {w.hidden, 200, 204, 1}} {
			must(w.owner.Exec(ctx, fill, w.tenant, c.facility, w.staff.UserID, c.from, c.to, c.step))
		}
		sweep := func(s *db.Raw) error {
			_, err := s.SweepFeedReports(ctx, db.SweepFeedReportsParams{TenantID: w.tenant, FacilityID: w.facility})
			return err
		}
		if err := first(sweep(w.Raw), sweep(w.Raw)); err != nil { // the second has nothing to do
			return err
		}
		left := scan[string](ctx, w.owner, `SELECT concat(count(*), ' from ', round(extract(epoch FROM min(created_at) -
			(SELECT min(created_at) FROM feed_reports WHERE facility_id = $2)) / 60)) FROM feed_reports
			WHERE facility_id = $1`, w.facility, w.hidden)
		others := scan[int](ctx, w.owner, "SELECT count(*) FROM feed_reports WHERE facility_id = $1", w.hidden)
		if left != "100 from 14" || others != 10 { // the fifth one of ours, fourteen minutes after the first one of all
			return fmt.Errorf("%s of the facility are left, and %d of another", left, others)
		}
		return nil
	}},
}

// faultyFeed returns the sequence of a feed: a record, or what is wrong with it.
func faultyFeed(items ...any) func(yield func(db.FeedRecord, error) bool) {
	return func(yield func(db.FeedRecord, error) bool) {
		for _, item := range items {
			record, _ := item.(db.FeedRecord)
			err, _ := item.(error)
			if !yield(record, err) {
				return
			}
		}
	}
}

func fault(at int, field string) *db.FeedFault {
	return &db.FeedFault{Record: at, Field: field, Code: db.ValidationFailed, Detail: "odd"}
}

// What is wrong with the records themselves and what is wrong between them is told together, at most a hundred.
func TestAFeedTellsAllThatIsWrongWithItsRecords(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	many := []any{}
	for i := range 150 {
		many = append(many, fault(i, "status"))
	}
	last := fault(3, "")
	last.Last = true
	for name, c := range map[string]struct {
		items []any
		want  []int // the positions
	}{
		"two records": {[]any{fault(0, "status"), record(1), fault(2, "ends_at")}, []int{0, 2}},
		"and two that contradict others": {
			[]any{record(0), fault(1, "status"), record(1), record(0), fault(4, "ends_at"), record(1)},
			[]int{1, 3, 4, 5}},
		"a hundred": {many, rangeOf(100)},
		"none after the end of what can be read": {[]any{record(0), record(0), fault(2, "status"), last, fault(4, "")},
			[]int{2, 3}},
	} {
		_, err := w.as.SyncFeed(ctx, w.staff, db.Feed{FacilityID: w.facility, AsOf: feedDay,
			Records: faultyFeed(c.items...)})
		var got []int
		if refused, ok := errors.AsType[*db.FeedRefusal](err); ok {
			for _, f := range refused.Faults {
				got = append(got, f.Record)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: told of %v, %v; want %v", name, got, err, c.want)
		}
		if n := w.staged(ctx); n != 0 {
			t.Errorf("%s: %d chunks are left", name, n)
		}
	}
}

func rangeOf(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

func TestWhatBecameOfAFeedIsReported(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	records := make([]db.FeedRecord, 24)
	for i := range records {
		records[i] = record(i)
	}
	count := int64(7)
	sync := func(hour int, edits ...func(*db.Feed)) error {
		f := db.Feed{FacilityID: w.facility, AsOf: w.watermark(hour).AsOf, Records: sequenceOf(records, nil)}
		for _, edit := range edits {
			edit(&f)
		}
		_, err := w.as.SyncFeed(ctx, w.staff, f)
		return err
	}
	for _, step := range []struct {
		name string
		err  error
		want db.Code // "" for none
		told string
	}{
		{"a rehearsal", sync(2, rehearsed), "", ""},
		{"a list", sync(2), "", "APPLIED - 24 records: 24 0 0 0, nil []"},
		{"an older list", sync(1), "", "SUPERSEDED - 24 records: 0 0 0 0, nil []"},
		{"another number of records", sync(3, func(f *db.Feed) { f.Count = &count }), db.RecordsMismatch,
			"REFUSED records_mismatch 24 records: 0 0 0 0, nil []"},
		{"no records", sync(3, ofRecords(nil)), db.EmptyFeed, "REFUSED empty_feed 0 records: 0 0 0 0, nil []"},
		{"a suspicious list", sync(3, ofRecords(records[:3])), db.MassCancellation,
			"REFUSED mass_cancellation 3 records: 0 0 3 21, 24 []"},
		{"one rehearsed", sync(3, ofRecords(records[:3]), rehearsed), db.MassCancellation, ""},
		{"one of the future", sync(3, func(f *db.Feed) { f.AsOf = time.Now().Add(time.Hour) }), db.ValidationFailed,
			"REFUSED validation_failed ? records: 0 0 0 0, nil []"},
		{"invalid records", sync(3, func(f *db.Feed) {
			f.Records = faultyFeed(record(1), fault(1, "patient.birth_date"), fault(2, "Ada"), record(1))
		}), db.ValidationFailed, "REFUSED validation_failed ? records: 0 0 0 0, nil " +
			"[1 patient.birth_date validation_failed, 2  validation_failed, 3 external_id validation_failed]"},
		{"a broken connection", sync(3, func(f *db.Feed) { f.Records = sequenceOf(nil, errors.New("broken")) }),
			db.Internal, ""},
	} {
		if got := code(step.err); step.err == nil && step.want != "" || step.err != nil && got != step.want {
			t.Errorf("%s: %v", step.name, step.err)
		}
	}
	want := []string{ // newest first
		"REFUSED validation_failed ? records: 0 0 0 0, nil " +
			"[1 patient.birth_date validation_failed, 2  validation_failed, 3 external_id validation_failed]",
		"REFUSED validation_failed ? records: 0 0 0 0, nil []", "REFUSED mass_cancellation 3 records: 0 0 3 21, 24 []",
		"REFUSED empty_feed 0 records: 0 0 0 0, nil []", "REFUSED records_mismatch 24 records: 0 0 0 0, nil []",
		"SUPERSEDED - 24 records: 0 0 0 0, nil []", "APPLIED - 24 records: 24 0 0 0, nil []",
	}
	if got := w.reported(ctx, t); !reflect.DeepEqual(got, want) {
		t.Errorf("reported\n%q\nwant\n%q", got, want)
	}
}

// reported returns the reports in words. They are by staff, and new.
func (w *fixture) reported(ctx context.Context, t *testing.T) (words []string) {
	for _, r := range w.reports(ctx) {
		words = append(words, inWords(r))
		if r.ActorID != w.staff.UserID || time.Since(r.CreatedAt) > time.Hour {
			t.Errorf("by %v at %v", r.ActorID, r.CreatedAt)
		}
	}
	return words
}

func TestAFeedOfAStrangerIsNotReported(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	if _, err := w.as.SyncFeed(ctx, w.stranger,
		db.Feed{FacilityID: w.facility, AsOf: feedDay}); code(err) != db.NotFound {
		t.Errorf("a stranger: %v", err)
	}
	if n := len(w.reports(ctx)); n != 0 {
		t.Errorf("%d reports, one of a stranger", n)
	}
}

func ofRecords(records []db.FeedRecord) func(*db.Feed) {
	return func(f *db.Feed) { f.Records = sequenceOf(records, nil) }
}

func rehearsed(f *db.Feed) { f.Rehearsal = true }

// inWords is a report in words.
func inWords(r db.FeedReport) string {
	code, records, current := "-", "?", "nil"
	if r.Code != nil {
		code = *r.Code
	}
	if r.Records != nil {
		records = fmt.Sprint(*r.Records)
	}
	if r.CurrentAppointments != nil {
		current = fmt.Sprint(*r.CurrentAppointments)
	}
	var errs string
	for i := range r.ErrorRecords {
		errs += fmt.Sprintf(", %d %s %s", r.ErrorRecords[i], r.ErrorFields[i], r.ErrorCodes[i])
	}
	return fmt.Sprintf("%s %s %s records: %d %d %d %d, %s [%s]", r.Outcome, code, records, r.Created, r.Updated,
		r.Unchanged, r.Canceled, current, errs[min(2, len(errs)):])
}

// A rehearsal counts what the list would change, and changes nothing.
func TestARehearsedFeedChangesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	w.must(w.fed(ctx, w.list(1, record(1), record(2), record(3))))
	before := w.appointmentsAndPatients(ctx)
	reads := func() int {
		return scan[int](ctx, w.owner, "SELECT count(*) FROM phi_reads WHERE tenant_id = $1", w.tenant)
	}
	read, waiting := reads(), w.staged(ctx)
	next := []db.FeedRecord{record(1),
		with(record(2), func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED }),
		record(4)}
	list := db.Feed{FacilityID: w.facility, AsOf: w.watermark(2).AsOf, Records: sequenceOf(next, nil), Rehearsal: true}
	want := db.FeedResult{Created: 1, Updated: 1, Unchanged: 1, Canceled: 1}
	for _, name := range []string{"rehearsed", "rehearsed again", "real"} {
		list.Rehearsal = name != "real"
		got, err := w.as.SyncFeed(ctx, w.staff, list)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
		if staged, reports := w.staged(ctx)-waiting, len(w.reports(ctx)); list.Rehearsal &&
			(before != w.appointmentsAndPatients(ctx) || reads() != read || staged+reports != 0) {
			t.Errorf("%s: something was written: %d reads, %d chunks, %d reports", name, reads()-read, staged, reports)
		}
	}
	w.must(w.holds(ctx, next...))
	list.Rehearsal = true
	if got, err := w.as.SyncFeed(ctx, w.staff, list); err != nil || !got.Superseded {
		t.Errorf("the same list again: %+v, %v", got, err)
	}
}
