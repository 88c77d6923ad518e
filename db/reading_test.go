package db_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// buffers runs a query by name for the viewer, with its arguments in the order of its numbers, and returns
// how many pages of the database it looked at, with a custom and with a generic plan.
func buffers(
	ctx context.Context, t testing.TB, s *db.Raw, v db.Viewer, query string, args ...any,
) (custom, generic int) {
	t.Helper()
	text, ok := statements(t)[query]
	if !ok {
		t.Fatalf("there is no %s", query)
	}
	pages := func(plan []byte) int {
		var read []struct{ Plan node }
		if err := json.Unmarshal(plan, &read); err != nil {
			t.Fatal(err)
		}
		return int(read[0].Plan.Hit + read[0].Plan.Read)
	}
	conn := must(s.Pool().Acquire(ctx))
	defer conn.Release()
	var plan []byte
	over := db.StoreOver(conn, func(q db.DBTX) db.DBTX { return q })
	if err := over.As(v).DBTX().QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+text, args...).
		Scan(&plan); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return pages(plan), pages(genericPlan(ctx, t, conn.Conn(), v, text, args...))
}

// genericPlan executes a statement by the plan that PostgreSQL may choose once it has seen it a few times, which fits
// any arguments.
func genericPlan(
	ctx context.Context, t testing.TB, conn *pgx.Conn, v db.Viewer, sql string, args ...any,
) (plan []byte) {
	t.Helper()
	tx := must(conn.Begin(ctx))
	defer tx.Rollback(ctx)
	must(tx.Exec(ctx, "PREPARE planned AS "+sql, pgx.QueryExecModeSimpleProtocol))
	defer conn.Exec(ctx, "DEALLOCATE planned")
	must(tx.Exec(ctx, "SET LOCAL plan_cache_mode = force_generic_plan"))
	must(0, db.New(tx).SetViewer(ctx, db.SetViewerParams{TenantID: v.TenantID, ViewerID: v.UserID}))
	execute, args := executePlanned(args)
	must(0, tx.QueryRow(ctx, explained+execute, args...).Scan(&plan))
	return plan
}

// few fails the test if a query looks at more pages.
func few(t *testing.T, most int, what string, custom, generic int) {
	t.Helper()
	t.Logf("%s: %d pages, %d by the generic plan", what, custom, generic)
	if custom > most || generic > most {
		t.Errorf("%s: %d pages, %d by the generic plan; want %d at most", what, custom, generic, most)
	}
}

// The cost for a reader of few facilities does not grow with the patients of the others.
func TestReadersOfFewFacilitiesReadFewPages(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "plans over large tables")
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	const many = 100_000
	must(w.owner.Exec(
		ctx, `ALTER TABLE patients DROP CONSTRAINT patients_facility_fkey, DROP CONSTRAINT patients_external_id_key;
		ALTER TABLE patient_facilities DROP CONSTRAINT patient_facilities_patient_fkey,
		    DROP CONSTRAINT patient_facilities_facility_fkey`)) // most of the time
	must(w.owner.Exec(ctx, `INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
		SELECT $1, md5('f' || n)::uuid, 'Clinic', '1 Main St', 0, 0, '' FROM generate_series(0, 99) AS n`, w.tenant))
	must(w.owner.Exec(
		ctx, `INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date)
		SELECT $1, lpad(n::text, 32, '0')::uuid, md5('f' || n % 100)::uuid, n, 'Quetzal', 'Quetzal', '1931-07-13'
		    FROM generate_series(1, $2::int) AS n`, w.tenant, many))
	must(w.owner.Exec(ctx, "INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) SELECT tenant_id, "+
		"id, facility_id FROM patients"))
	must(w.owner.Exec(ctx, "ANALYZE patients, patient_facilities, facilities, group_members, group_facilities"))
	for _, n := range []string{"1", "2", "3"} {
		w.shows(ctx, w.staff, scan[uuid.UUID](ctx, w.owner, "SELECT md5('f' || $1::text)::uuid", n))
	}
	pickup := w.pickup(ctx)
	patient := scan[uuid.UUID](ctx, w.owner, "SELECT lpad('1', 32, '0')::uuid")
	must(w.owner.Exec(ctx, "UPDATE pickups SET patient_id = $2 WHERE id = $1", pickup, patient))

	custom, generic := buffers(ctx, t, d.Raw, w.staff, "ListPatients", 50, w.tenant, w.staff.UserID, nil, uuid.Nil)
	few(t, 1500, "a page of 50", custom, generic)
	after := scan[uuid.UUID](ctx, w.owner, "SELECT lpad('90000', 32, '0')::uuid")
	custom, generic = buffers(ctx, t, d.Raw, w.staff, "ListPatients", 50, w.tenant, w.staff.UserID, nil, after)
	few(t, 1500, "a late page of 50", custom, generic)
	custom, generic = buffers(ctx, t, d.Raw, w.staff, "GetPatient", w.tenant,
		patient, nil, w.staff.UserID, "get-patient")
	few(t, 100, "one patient", custom, generic)
	custom, generic = buffers(ctx, t, d.Raw, w.staff, "GetPickupPatient", "staff",
		w.tenant, pickup, uuid.Nil, w.staff.UserID)
	few(t, 100, "a pickup's patient", custom, generic)
}

// The cost of reading one patient or pickup does not grow for a reader of 10,000 facilities through 1,000
// groups.
func TestReadersOfManyFacilitiesReadFewPages(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "plans over large tables")
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	patient, pickup := w.patient(ctx), w.pickup(ctx)
	must(w.owner.Exec(ctx, "UPDATE pickups SET patient_id = $2 WHERE id = $1", pickup, patient))
	w.make(ctx, func(r *seed.Rows) { r.FacilitiesSeenBy(w.staff.UserID, 10_000, 1000) })
	must(w.owner.Exec(ctx, "ANALYZE patients, patient_facilities, facilities, group_members, group_facilities"))
	token := must(openSession(ctx, w.as, w.staff, "old hash"))

	custom, generic := buffers(ctx, t, d.Raw, w.staff, "GetSessions", []uuid.UUID{w.tenant},
		[][]byte{token.Hash()}, time.Hour)
	few(t, 50, "the session", custom, generic)
	custom, generic = buffers(ctx, t, d.Raw, w.staff, "GetPatient", w.tenant,
		patient, nil, w.staff.UserID, "get-patient")
	few(t, 100, "one patient", custom, generic)
	custom, generic = buffers(ctx, t, d.Raw, w.staff, "GetPickupPatient", "staff",
		w.tenant, pickup, uuid.Nil, w.staff.UserID)
	few(t, 100, "a pickup's patient", custom, generic)
	custom, generic = buffers(ctx, t, d.Raw, w.staff, "GetPickups",
		[]uuid.UUID{w.tenant}, []uuid.UUID{pickup}, []uuid.UUID{w.staff.UserID}, []string{"staff"},
		[]uuid.UUID{uuid.Nil}, []string{"get-pickup"})
	few(t, 100, "one pickup", custom, generic)
}
