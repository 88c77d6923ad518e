package db_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// feedDay is in the past: a list is never of the future.
var feedDay = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// record is an appointment on a day after feedDay, with a patient of the same number.
func record(n int) db.FeedRecord {
	birth, _ := db.ParseDate("1990-05-17")
	starts := feedDay.AddDate(0, 0, n+1)
	return db.FeedRecord{
		ExternalID: fmt.Sprint(n), PatientExternalID: fmt.Sprintf("p%d", n), GivenName: fmt.Sprintf("Given%d", n),
		FamilyName: fmt.Sprintf("Family%d", n),
		BirthDate:  birth, StartsAt: starts, EndsAt: starts.Add(time.Hour), Status: db.AppointmentStatusBOOKED,
	}
}

func with(r db.FeedRecord, edit func(*db.FeedRecord)) db.FeedRecord {
	edit(&r)
	return r
}

func canceled(r *db.FeedRecord) { r.Status = db.AppointmentStatusCANCELED }

// list is a feed of the fixture's facility as of an hour of feedDay.
type list struct {
	id      uuid.UUID
	hour    int
	records []db.FeedRecord
	moved   *int64
	done    *db.SyncAppointmentsRow
}

func (w *fixture) list(hour int, records ...db.FeedRecord) list {
	return list{newID(), hour, records, new(int64), &db.SyncAppointmentsRow{}}
}

func (w *fixture) watermark(hour int) db.MoveFeedParams {
	return db.MoveFeedParams{TenantID: w.tenant, FacilityID: w.facility, ViewerID: w.staff.UserID,
		AsOf: feedDay.Add(time.Duration(hour) * time.Hour)}
}

func (w *fixture) difference(v db.Viewer, hour int, id uuid.UUID) db.SyncAppointmentsParams {
	return db.SyncAppointmentsParams{TenantID: w.tenant, FacilityID: w.facility,
		ViewerID: v.UserID, AsOf: w.watermark(hour).AsOf, FeedID: id}
}

// like returns a new tenant with the mutant of another.
func (w *fixture) like(o *fixture) *fixture {
	w.mutant = o.mutant
	return w
}

// stage stores the records of a feed, as the statements stand.
func (w *fixture) stage(ctx context.Context, id uuid.UUID, records ...db.FeedRecord) error {
	if len(records) == 0 {
		return nil
	}
	chunk := db.StageFeedChunkParams{TenantID: w.tenant, FeedID: id}
	for _, r := range records {
		chunk.ExternalIds, chunk.PatientExternalIds = append(chunk.ExternalIds,
			r.ExternalID), append(chunk.PatientExternalIds, r.PatientExternalID)
		chunk.NewPatientIds = append(chunk.NewPatientIds, uuid.NewSHA1(id, []byte(r.PatientExternalID)))
		chunk.GivenNames, chunk.FamilyNames = append(chunk.GivenNames,
			r.GivenName), append(chunk.FamilyNames, r.FamilyName)
		chunk.BirthDates, chunk.Phones = append(chunk.BirthDates, r.BirthDate), append(chunk.Phones, r.Phone)
		chunk.StartsAt, chunk.EndsAt = append(chunk.StartsAt, r.StartsAt), append(chunk.EndsAt, r.EndsAt)
		chunk.Statuses = append(chunk.Statuses, string(r.Status))
	}
	_, err := w.as.As(w.staff).StageFeedChunk(ctx, chunk)
	return err
}

func (w *fixture) staged(ctx context.Context) int {
	return scan[int](ctx, w.owner, "SELECT count(*) FROM appointment_feed_chunks WHERE tenant_id = $1", w.tenant)
}

// within runs f for a viewer in a transaction of the connection that s is over.
func (w *fixture) within(ctx context.Context, s *db.Raw, v db.Viewer, f func() error) error {
	exec := func(sql string) error { _, err := s.DBTX().Exec(ctx, sql); return err }
	err := first(exec("BEGIN"), s.SetViewer(ctx, db.SetViewerParams{TenantID: v.TenantID, ViewerID: v.UserID}))
	if err == nil {
		err = f()
	}
	if err != nil {
		return errors.Join(err, exec("ROLLBACK"))
	}
	return exec("COMMIT")
}

// viewed runs f for a viewer in a transaction of its own.
func (w *fixture) viewed(ctx context.Context, v db.Viewer, f func(*db.Raw) error) error {
	conn := must(w.pool.Acquire(ctx))
	defer conn.Release()
	s := w.over(conn)
	return w.within(ctx, s, v, func() error { return f(s) })
}

// changes is another session that writes the tenant's rows of a table.
func (w *fixture) changes(table, set string) act {
	return func(s *db.Raw) error {
		ctx := context.Background()
		w.must(s.SetViewer(ctx, db.SetViewerParams{TenantID: w.tenant, ViewerID: w.staff.UserID}))
		_, err := s.DBTX().Exec(ctx, "UPDATE "+table+" SET "+set+" WHERE tenant_id = $1", w.tenant)
		return err
	}
}

var feedLimits = db.SetFeedLimitsParams{StatementTimeout: "60s", LockTimeout: "30s", WorkMem: "16MB"}

// apply applies a feed whose records are staged: the two statements.
func (w *fixture) apply(ctx context.Context, s *db.Raw, l list) (err error) {
	if err = s.SetFeedLimits(ctx, feedLimits); err != nil {
		return err
	}
	if *l.moved, err = s.MoveFeed(ctx, w.watermark(l.hour)); err != nil || *l.moved == 0 {
		return err
	}
	*l.done, err = s.SyncAppointments(ctx, w.difference(w.staff, l.hour, l.id))
	return err
}

// fed stages each list and applies it.
func (w *fixture) fed(ctx context.Context, lists ...list) error {
	for _, l := range lists {
		w.must(w.stage(ctx, l.id, l.records...))
		if err := w.viewed(ctx, w.staff, func(s *db.Raw) error { return w.apply(ctx, s, l) }); err != nil {
			return err
		}
	}
	return nil
}

// feedsBehind has the second list wait for the first.
func (w *fixture) feedsBehind(ctx context.Context, one, two list, taken bool) error {
	w.must(first(w.stage(ctx, one.id, one.records...), w.stage(ctx, two.id, two.records...)))
	waited, errs := w.behind(ctx, commit,
		func(s *db.Raw) error {
			w.must(s.SetViewer(ctx, db.SetViewerParams{TenantID: w.tenant, ViewerID: w.staff.UserID}))
			return w.apply(ctx, s, one)
		},
		func(s *db.Raw) error {
			return w.within(ctx, s, w.staff, func() error { return w.apply(ctx, s, two) })
		})
	if !waited[0] || (*two.moved == 1) != taken {
		return fmt.Errorf("the second waited: %v, and moved the watermark by %d", waited[0], *two.moved)
	}
	return errs[0]
}

// holds checks that the facility's appointments are the records, and that only these others are canceled.
func (w *fixture) holds(ctx context.Context, records ...db.FeedRecord) error {
	return w.holdsIn(ctx, w.facility, records...)
}

func (w *fixture) holdsIn(ctx context.Context, facility uuid.UUID, records ...db.FeedRecord) error {
	want := map[string]string{}
	for _, r := range records {
		want[r.ExternalID] = fmt.Sprint(r.PatientExternalID, r.GivenName, r.FamilyName, r.BirthDate, r.Phone,
			r.StartsAt.UTC().Unix(), r.EndsAt.UTC().Unix(), r.Status)
	}
	rows := must(w.owner.Query(ctx,
		`SELECT a.external_id, p.external_id, p.given_name, p.family_name, p.birth_date, coalesce(p.phone, ''),
			a.starts_at, a.ends_at, a.status::text
		FROM appointments AS a JOIN patients AS p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
		WHERE a.tenant_id = $1 AND a.facility_id = $2`, w.tenant, facility))
	got := map[string]string{}
	for rows.Next() {
		var r db.FeedRecord
		w.must(rows.Scan(&r.ExternalID, &r.PatientExternalID, &r.GivenName, &r.FamilyName,
			&r.BirthDate, &r.Phone, &r.StartsAt, &r.EndsAt, &r.Status))
		if _, told := want[r.ExternalID]; !told && r.Status == db.AppointmentStatusCANCELED {
			continue
		}
		got[r.ExternalID] = fmt.Sprint(r.PatientExternalID, r.GivenName, r.FamilyName, r.BirthDate, r.Phone,
			r.StartsAt.UTC().Unix(), r.EndsAt.UTC().Unix(), r.Status)
	}
	w.must(rows.Err())
	if !maps.Equal(got, want) {
		return fmt.Errorf("there is %v, want %v", got, want)
	}
	return nil
}

// places returns the row versions of the tenant's appointments and patients: a write makes a new version,
// and a lock leaves its mark.
func (w *fixture) places(ctx context.Context) map[string]string {
	rows := must(w.owner.Query(ctx, `SELECT external_id, ctid::text || xmin FROM appointments WHERE tenant_id = $1
		UNION ALL SELECT external_id, ctid::text || xmin FROM patients WHERE tenant_id = $1
		UNION ALL SELECT 'of ' || patient_id, ctid::text || xmin || ' ' || xmax FROM patient_facilities
		    WHERE tenant_id = $1`, w.tenant))
	out := map[string]string{}
	var key, place string
	must(pgx.ForEachRow(rows, []any{&key, &place}, func() error { out[key] = place; return nil }))
	return out
}

// patientOf returns the patient of an id in the facility's records, and placeOf the key of their consent
// among the places.
func (w *fixture) patientOf(ctx context.Context, externalID string) uuid.UUID {
	return scan[uuid.UUID](ctx, w.owner, "SELECT id FROM patients WHERE tenant_id = $1 AND external_id = $2",
		w.tenant, externalID)
}

func (w *fixture) placeOf(ctx context.Context, externalID string) string {
	return "of " + w.patientOf(ctx, externalID).String()
}

// appointmentsAndPatients are the tables that a feed writes, except for the consents.
func (w *fixture) appointmentsAndPatients(ctx context.Context) string {
	return scan[string](ctx, w.owner, `SELECT concat(
		(SELECT string_agg(a::text, ' ' ORDER BY a.id) FROM appointments AS a WHERE a.tenant_id = $1),
		(SELECT string_agg(concat_ws(',', p.external_id, p.given_name, p.family_name, p.phone, p.version), ' '
		    ORDER BY p.id) FROM patients AS p WHERE p.tenant_id = $1))`, w.tenant)
}

// sequenceOf yields the records, and then the error, if any.
func sequenceOf(records []db.FeedRecord, err error) iter.Seq2[db.FeedRecord, error] {
	return func(yield func(db.FeedRecord, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(db.FeedRecord{}, err)
		}
	}
}

// sync feeds a list by the store's own method.
func (w *fixture) sync(
	ctx context.Context, v db.Viewer, facility uuid.UUID, hour int, records ...db.FeedRecord,
) (db.FeedResult, error) {
	return w.as.SyncFeed(ctx, v, db.Feed{FacilityID: facility, AsOf: w.watermark(hour).
		AsOf, Records: sequenceOf(records, nil)})
}
