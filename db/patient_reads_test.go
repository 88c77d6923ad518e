package db_test

import (
	"context"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"

	"waybill/db"
	"waybill/sql"
)

// sameReads compares what each user read by the two tables: the patient's and the user's.
const sameReads = `
	SELECT count(*) FROM (
		SELECT tenant_id, user_id, operation, created_at, patient_id, count(*) AS n
		FROM phi_reads GROUP BY 1, 2, 3, 4, 5) AS p
	FULL JOIN (
		SELECT tenant_id, user_id, operation, created_at, patient_id, count(*) AS n
		FROM patient_reads CROSS JOIN unnest(patient_ids) AS patient_id GROUP BY 1, 2, 3, 4, 5) AS u
		USING (tenant_id, user_id, operation, created_at, patient_id, n)
	WHERE p IS NULL OR u IS NULL`

func (w *fixture) recordsAgree(ctx context.Context, t *testing.T) {
	t.Helper()
	if n := scan[int](ctx, w.owner, sameReads); n != 0 {
		t.Errorf("%d reads are in one list alone", n)
	}
}

// readAt records that a user read n patients by one statement.
func (w *fixture) readAt(ctx context.Context, v db.Viewer, n int, at time.Time) {
	must(w.owner.Exec(ctx, `INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation, created_at)
		SELECT $1, new_id(), $2, 'list-patients', $3 FROM generate_series(1, $4)`, w.tenant, v.UserID, at, n))
}

// A statement that reads many patients is told by a record for each 200 of them.
func TestReadsOfOneStatementAreToldTogether(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.readAt(ctx, w.staff, 450, at.Add(time.Hour))
	w.readAt(ctx, w.staff, 1, at)
	w.readAt(ctx, w.admin, 3, at)
	must(w.owner.Exec(ctx, `INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation, created_at)
		SELECT $1, new_id(), u, o, $4 FROM unnest($2::uuid[]) AS u, unnest($3::text[]) AS o`,
		w.tenant, ids(w.staff.UserID, w.hub.UserID), []string{"get-patient", "get-pickup"}, at.Add(2*time.Hour)))
	w.recordsAgree(ctx, t)
	for of, want := range map[uuid.UUID][]int{
		w.staff.UserID: {1, 1, 50, 200, 200, 1}, w.admin.UserID: {3}, w.hub.UserID: {1, 1}, newID(): nil,
	} {
		var got []int
		p := db.ListReadsParams{TenantID: w.tenant, UserID: of, BeforeCreatedAt: endOfTime,
			BeforeID: uuid.Max, MaxRows: 1}
		for {
			rows := must(w.ListReads(ctx, p))
			if len(rows) == 0 {
				break
			}
			got = append(got, len(rows[0].PatientIds))
			p.BeforeCreatedAt, p.BeforeID = rows[0].CreatedAt, rows[0].ID
		}
		if !slices.Equal(got, want) {
			t.Errorf("listed reads of %v patients, want %v", got, want)
		}
	}
}

// What was read before the migration is told as well, once; what was read since is not told again.
func TestReadsFromBeforeTheirListAreInIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openUnchecked(t)
	w := d.fixture(ctx)
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	at := time.Now().Add(-time.Hour)
	w.readAt(ctx, w.staff, 450, at)
	names := must(fs.Glob(sql.Migrations, "migrations/*_patient_reads.sql"))
	must(m.DownTo(ctx, must(goose.NumericComponent(names[0]))-1))
	w.readAt(ctx, w.staff, 3, at.Add(time.Minute))
	w.readAt(ctx, w.admin, 201, at)
	must(m.Up(ctx))
	w.recordsAgree(ctx, t)
	w.readAt(ctx, w.staff, 7, at.Add(2*time.Minute))
	w.recordsAgree(ctx, t)
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM patient_reads WHERE tenant_id = $1", w.tenant); n != 3+1+2+1 {
		t.Errorf("%d records", n)
	}
}
