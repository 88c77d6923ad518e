package db_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// node is a node of a plan, as EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) reports it.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	CTE      string  `json:"CTE Name"`
	Subplan  string  `json:"Subplan Name"`
	Loops    float64 `json:"Actual Loops"`
	Rows     float64 `json:"Actual Rows"` // of each loop, like those removed
	Removed  float64 `json:"Rows Removed by Filter"`
	Hit      int64   `json:"Shared Hit Blocks"`
	Read     int64   `json:"Shared Read Blocks"`
	Plans    []node

	RemovedByJoin float64 `json:"Rows Removed by Join Filter"`
}

func (n node) walk(visit func(node)) {
	visit(n)
	for _, p := range n.Plans {
		p.walk(visit)
	}
}

// scanned returns how many rows the scans of a table found, and how many they removed.
func (n node) scanned(table string) (found, removed float64) {
	n.walk(func(n node) {
		if n.Relation == table && strings.HasSuffix(n.Type, "Scan") {
			found, removed = found+n.Rows*n.Loops, removed+n.Removed*n.Loops
		}
	})
	return found, removed
}

// looks returns how often a table was scanned, by whatever index.
func (n node) looks(table string) (loops float64) {
	n.walk(func(n node) {
		if n.Relation == table && strings.HasSuffix(n.Type, "Scan") {
			loops += n.Loops
		}
	})
	return loops
}

// explained returns the statements of s, the mutant included, which are explained.
func (w *fixture) explained(s *db.Raw, plan *node) *db.Queries {
	if r, ok := s.DBTX().(rewriting); ok {
		return db.New(rewriting{explaining{r.DBTX, plan}, r.mutant})
	}
	return db.New(explaining{s.DBTX(), plan})
}

// explaining runs each statement under EXPLAIN, and returns no rows.
type explaining struct {
	db.DBTX
	plan *node
}

var errExplained = errors.New("explained")

func (e explaining) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return e.explain(ctx, sql, args...)
}

func (e explaining) explain(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	var text []byte
	if err := e.DBTX.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)\n"+sql, args...).Scan(&text); err != nil {
		return nil, err
	}
	var out []struct{ Plan node }
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, err
	}
	*e.plan = out[0].Plan
	return nil, errExplained
}

func (e explaining) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	_, err := e.Query(ctx, sql, args...)
	return failing{err}
}

func (e explaining) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	_, err := e.Query(ctx, sql, args...)
	return pgconn.CommandTag{}, err
}

type failing struct{ err error }

func (f failing) Scan(...any) error { return f.err }

// readsByIndexes checks that a plan scans no whole table, removes few rows and compares no lists row by row.
func readsByIndexes(t *testing.T, name string, plan node) {
	t.Helper()
	plan.walk(func(n node) {
		whole := n.Type == "Seq Scan" &&
			(n.Relation == "appointments" || n.Relation == "patients" || n.Relation == "patient_facilities")
		if whole && n.Loops > 0 || n.Removed*n.Loops > 1_000 ||
			n.Type == "Nested Loop" && len(n.Plans) == 2 && n.Plans[1].CTE == "compared" {
			t.Errorf("%s: %s of %s%s, %.0f rows removed", name, n.Type, n.Relation, n.CTE, n.Removed*n.Loops)
		}
	})
}

// lastDays is a list of the last appointments of the 75,000 there are, and of those that follow.
func (w *fixture) lastDays(begin time.Time) list {
	l := w.list(0)
	for n := range 150 { // the last stored days, from as_of on
		at := begin.Add(time.Duration(74_849+n) * 10 * time.Minute)
		l.records = append(l.records, db.FeedRecord{
			ExternalID: fmt.Sprint(74_849 + n), PatientExternalID: fmt.Sprint("p", (74_849+n)%500),
			GivenName: fmt.Sprint("Given", (74_849+n)%500), FamilyName: fmt.Sprint("Family", (74_849+n)%500),
			BirthDate: record(1).BirthDate,
			StartsAt:  at, EndsAt: at.Add(30 * time.Minute), Status: db.AppointmentStatusBOOKED,
		})
	}
	return l
}

// The cost of listing a day and of a feed grows with the requested rows, not with the stored ones.
func TestAppointmentsAreFoundByTheirIndexes(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "plans over large tables")
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	must(w.owner.Exec(ctx, `ALTER TABLE appointments DROP CONSTRAINT appointments_facility_fkey,
    DROP CONSTRAINT appointments_patient_fkey`))
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	w.make(ctx, func(r *seed.Rows) {
		r.Patients(w.facility, 500)
		r.Appointments(w.facility, seed.Appointments{Patients: 500, From: begin, Every: 10 * time.Minute, N: 75_000})
	})
	vacuum(ctx, w.owner, "appointments", "patients", "patient_facilities")

	explain := func(run func(*db.Raw)) (plan node) {
		w.must(w.viewed(ctx, w.staff, func(s *db.Raw) error {
			w.must(s.SetFeedLimits(ctx, feedLimits))
			run(db.StoreOver(s.DBTX(), func(q db.DBTX) db.DBTX { return explaining{q, &plan} }))
			return nil
		}))
		return plan
	}
	var least, most int64 = 1 << 60, 0
	for name, day := range map[string]int{"early": 2, "middle": 250, "late": 515} {
		var plan node
		w.must(w.viewed(ctx, w.staff,
			func(s *db.Raw) error { // as list-appointments has it: without a feed's settings
				from := begin.AddDate(0, 0, day)
				db.StoreOver(s.DBTX(), func(q db.DBTX) db.DBTX { return explaining{q, &plan} }).
					ListAppointments(ctx, db.ListAppointmentsParams{
						TenantID: w.tenant, ViewerID: w.staff.UserID, FacilityID: w.facility, FromTime: from,
						ToTime: from.AddDate(0, 0, 1), MaxRows: 200,
					})
				return nil
			}))
		readsByIndexes(t, name, plan)
		least, most = min(least, plan.Hit+plan.Read), max(most, plan.Hit+plan.Read)
	}
	if least == 0 || float64(most) > 1.5*float64(least) {
		t.Errorf("a day's read looks at %d to %d blocks", least, most)
	}

	l := w.lastDays(begin)
	w.must(w.stage(ctx, l.id, l.records...))
	asOf := begin.Add(74_850 * 10 * time.Minute)
	must(w.owner.Exec(ctx, "INSERT INTO appointment_feeds VALUES ($1, $2, $3)", w.tenant, w.facility, asOf))
	plan := explain(func(s *db.Raw) {
		s.SyncAppointments(ctx, db.SyncAppointmentsParams{TenantID: w.tenant, FacilityID: w.facility,
			ViewerID: w.staff.UserID, AsOf: asOf, FeedID: l.id})
	})
	readsByIndexes(t, "a feed", plan)
	if blocks := plan.Hit + plan.Read; blocks == 0 || blocks > 4_000 {
		t.Errorf("a feed of 150 records looks at %d blocks", blocks)
	}
}

// The checks of foreign keys look a row up by its key also for a tenant that is not in the statistics:
// another index that begins with the tenant would read all its rows, for each row of the feed.
func TestForeignKeysOfAFeedAreCheckedByTheirKey(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openUnchecked(t)
	known, w := d.fixture(ctx), d.fixture(ctx)
	known.make(ctx, func(r *seed.Rows) { r.Patients(known.facility, 5000) })
	must(d.owner.Exec(ctx, "ANALYZE patients"))
	const records = 1000
	l := w.list(0)
	for n := range records {
		l.records = append(l.records, record(n))
	}
	w.must(w.stage(ctx, l.id, l.records...))
	must(d.owner.Exec(ctx, "INSERT INTO appointment_feeds VALUES ($1, $2, $3)", w.tenant, w.facility, feedDay))
	var done db.SyncAppointmentsRow
	var byKey, others int64 // rows of patients, by the key and by other indexes
	w.must(w.viewed(ctx, w.staff, func(s *db.Raw) error {
		w.must(s.SetFeedLimits(ctx, feedLimits))
		done = must(s.SyncAppointments(ctx, db.SyncAppointmentsParams{
			TenantID: w.tenant, FacilityID: w.facility, ViewerID: w.staff.UserID, AsOf: feedDay, FeedID: l.id,
		}))
		return s.DBTX().QueryRow(ctx, `
			SELECT sum(n) FILTER (WHERE indisprimary), coalesce(sum(n) FILTER (WHERE NOT indisprimary), 0)
			FROM pg_index, pg_stat_get_xact_tuples_fetched(indexrelid) AS n
			WHERE indrelid = 'patients'::regclass`).Scan(&byKey, &others)
	}))
	if done.Created != records {
		t.Fatalf("created %d", done.Created)
	}
	t.Logf("rows of patients fetched for %d records: %d by the key, %d by other indexes", records, byKey, others)
	// By the checks of two keys, and for the terms that each is found by.
	if byKey < 2*records || byKey > 3*records {
		t.Errorf("%d rows of patients were looked up by the key for %d records", byKey, records)
	}
	// The planner looks for the last row of an index behind those of the feed, as often as it plans: ten times.
	if others > 11*records {
		t.Errorf("%d rows of patients were looked at by other indexes for %d records", others, records)
	}
}

// A feed of past appointments and known patients looks each up by its key, also where the statistics only
// know another facility: an index on the time of the appointments or the tenant of the patients would read
// the facility's rows for each record.
func TestAFeedLooksUpWhatItNamesByItsKey(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openUnchecked(t)
	known, w := d.fixture(ctx), d.fixture(ctx)
	known.make(ctx, func(r *seed.Rows) { r.Patients(known.facility, 2000) })
	must(d.owner.Exec(
		ctx, `INSERT INTO appointments (tenant_id, facility_id, patient_id, external_id, starts_at, ends_at, status)
		SELECT p.tenant_id, p.facility_id, p.id, 'a' || p.external_id, now(), now() + interval '1 hour', 'BOOKED'
		FROM patients AS p`))
	must(d.owner.Exec(ctx, "ANALYZE patients, appointments, patient_facilities"))
	const records = 1000
	var over, again []db.FeedRecord
	for n := range records {
		r := with(record(n), func(r *db.FeedRecord) {
			r.StartsAt, r.EndsAt = r.StartsAt.AddDate(-1, 0, 0), r.EndsAt.AddDate(-1, 0, 0)
		})
		over = append(over, r)
		again = append(again, with(r, func(r *db.FeedRecord) { r.Status = db.AppointmentStatusARRIVED }))
	}
	w.must(w.fed(ctx, w.list(1, over...)))
	l := w.list(2, again...)
	w.must(w.stage(ctx, l.id, l.records...))
	var plan node
	w.must(w.viewed(ctx, w.staff, func(s *db.Raw) error {
		w.must(s.SetFeedLimits(ctx, feedLimits))
		must(s.MoveFeed(ctx, w.watermark(l.hour)))
		_, err := w.explained(s, &plan).SyncAppointments(ctx, w.difference(w.staff, l.hour, l.id))
		if !errors.Is(err, errExplained) {
			return err
		}
		return nil
	}))
	for _, table := range []string{"appointments", "patients"} {
		found, removed := plan.scanned(table)
		t.Logf("%v rows of %s found, %v removed, for %d records", found, table, removed, records)
		if found < records || found+removed > 5*records {
			t.Errorf("%v rows of %s were looked at for %d records", found+removed, table, records)
		}
	}
}
