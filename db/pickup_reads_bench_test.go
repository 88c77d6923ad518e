package db_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// unrecorded is GetPickups without the record of the read.
const unrecorded = `SELECT p.*, a.asked::bigint AS asked
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], ($4::text[])::user_role[], $5::uuid[], $6::text[])
	WITH ORDINALITY AS a (tenant_id, id, viewer_id, viewer_role, viewer_driver_id, operation, asked)
JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
WHERE (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
    AND EXISTS (
	SELECT FROM facility_viewers AS v
	WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))`

// BenchmarkGetPickups measures the cost of recording a read, in a statement of one and in one of 64:
//
//	go test ./db -run '^$' -bench GetPickups -count 5
func BenchmarkGetPickups(b *testing.B) {
	ctx := context.Background()
	d := openSettled(b)
	w := d.fixture(ctx)
	patient := w.patient(ctx)
	var plain, named []uuid.UUID
	for range 64 {
		plain = append(plain, w.pickup(ctx))
		named = append(named, w.pickup(ctx, func(draft *db.Draft) { draft.PatientID = &patient }))
	}
	vacuum(ctx, w.owner, "pickups")
	for _, size := range []int{1, 64} {
		args := func(pickups []uuid.UUID) db.GetPickupsParams {
			return db.GetPickupsParams{
				TenantIds: fill(size, w.tenant), Ids: pickups[:size], ViewerIds: fill(size, w.staff.UserID),
				ViewerRoles: fill(size, "staff"), ViewerDriverIds: fill(size, uuid.Nil),
				Operations: fill(size, "get-pickup"),
			}
		}
		for _, c := range []struct {
			name    string
			pickups []uuid.UUID
			get     func(db.GetPickupsParams) (int, error)
		}{
			{"unrecorded", plain, func(p db.GetPickupsParams) (int, error) {
				rows, err := w.pool.Query(ctx, unrecorded, p.TenantIds, p.Ids, p.ViewerIds,
					p.ViewerRoles, p.ViewerDriverIds, p.Operations)
				if err != nil {
					return 0, err
				}
				got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.GetPickupsRow])
				return len(got), err
			}},
			{"no patient", plain, func(p db.GetPickupsParams) (int, error) {
				rows, err := w.GetPickups(ctx, p)
				return len(rows), err
			}},
			{"a patient", named, func(p db.GetPickupsParams) (int, error) {
				rows, err := w.GetPickups(ctx, p)
				return len(rows), err
			}},
		} {
			b.Run(map[int]string{1: "one", 64: "64"}[size]+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					if n, err := c.get(args(c.pickups)); err != nil || n != size {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}
