package db_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/seed"
)

// listed is a pickup as the lists filter it.
type listed struct {
	ID, FacilityID uuid.UUID
	DriverID       *uuid.UUID
	Status         db.PickupStatus
	CreatedAt      time.Time
}

// manyFacilities is above the number of facilities that are read one by one.
const manyFacilities = 100

// clinics makes facilities.
func (w *fixture) clinics(ctx context.Context, n int) (facilities []uuid.UUID) {
	must(w.owner.Exec(ctx,
		`INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
			SELECT $1, md5(($1::uuid)::text || 'f' || n)::uuid, 'Clinic', '1 Main St', 0, 0, ''
			FROM generate_series(0, $2::int - 1) AS n`, w.tenant, n))
	rows := must(w.owner.Query(ctx, `SELECT md5($1::text || 'f' || n)::uuid FROM generate_series(0, $2::int - 1) AS n`,
		w.tenant.String(), n))
	return must(pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]))
}

// manyPickups makes pickups in all statuses, in as many facilities, of a few drivers; the old ones are in
// other facilities than the new ones. It returns the facilities, in this order, and a driver of some.
func (w *fixture) manyPickups(ctx context.Context) (facilities []uuid.UUID, driver db.Viewer) {
	driver, facilities = w.driver(ctx, 1, 1), w.clinics(ctx, manyFacilities)
	for _, statement := range []string{
		`INSERT INTO drivers (tenant_id, id, name, request_digest)
			SELECT $1, md5(($1::uuid)::text || 'd' || n)::uuid, 'Driver', '' FROM generate_series(0, 29) AS n
			WHERE ($2::uuid, $3::uuid) IS NOT NULL`,
		`INSERT INTO pickups (tenant_id, id, facility_id, account_id, requested_by, price_cents, pickup_address,
				dropoff_address, request_digest, created_at)
			SELECT $1, gen_random_uuid(), md5(($1::uuid)::text || 'f' || n / 5)::uuid, $2, $3, 0, 'a', 'b', '',
				now() - n / 3 * interval '1 minute' FROM generate_series(0, 499) AS n`,
		`UPDATE pickups SET status = 'SUBMITTED', previous_status = 'DRAFT'
			WHERE tenant_id = $1 AND ('x' || right(id::text, 1))::bit(4)::int > 1 AND ($2::uuid, $3::uuid) IS NOT NULL`,
		`UPDATE pickups SET status = 'CANCELED', previous_status = 'SUBMITTED'
			WHERE tenant_id = $1 AND ('x' || right(id::text, 1))::bit(4)::int IN (2, 3)
				AND ($2::uuid, $3::uuid) IS NOT NULL`,
	} {
		must(w.owner.Exec(ctx, statement, w.tenant, w.account, w.admin.UserID))
	}
	w.giveToDrivers(ctx, driver.DriverID)
	return facilities, driver
}

// giveToDrivers moves most of the submitted pickups on to other statuses: a driver has one assigned pickup
// at a time.
func (w *fixture) giveToDrivers(ctx context.Context, driver uuid.UUID) {
	for range 6 {
		must(w.owner.Exec(ctx, `WITH next AS (
				SELECT id, row_number() OVER (ORDER BY created_at) AS n FROM pickups
				WHERE tenant_id = $1 AND status = 'SUBMITTED' AND ('x' || right(id::text, 1))::bit(4)::int > 5
				ORDER BY created_at LIMIT 31)
			UPDATE pickups AS p SET status = 'ASSIGNED', previous_status = p.status,
				driver_id = CASE n WHEN 31 THEN $2 ELSE md5(($1::uuid)::text || 'd' || n - 1)::uuid END
			FROM next WHERE p.tenant_id = $1 AND p.id = next.id`, w.tenant, driver))
		for _, step := range [][2]string{
			{"ASSIGNED", "COLLECTED"}, {"COLLECTED", "RECEIVED"}, {"RECEIVED", "PACKED"},
			{"PACKED", "SHIPPED"}, {"SHIPPED", "DELIVERED"},
		} {
			must(w.owner.Exec(ctx, `UPDATE pickups SET status = $3::pickup_status, previous_status = status
				WHERE tenant_id = $1 AND status = $2::pickup_status
					AND ('x' || right(id::text, 1))::bit(4)::int
						> array_position(enum_range(NULL::pickup_status), $3::pickup_status) + 2`,
				w.tenant, step[0], step[1]))
		}
		must(w.owner.Exec(ctx, `UPDATE pickups SET status = 'COLLECTED', previous_status = status
			WHERE tenant_id = $1 AND status = 'ASSIGNED'`, w.tenant))
	}
}

// seenBy returns the expected list of a viewer, computed without SQL: of staff, of these facilities.
func seenBy(all []listed, v db.Viewer, mine []uuid.UUID, p db.ListPickupsParams) (ids []uuid.UUID) {
	for _, k := range all {
		sees := slices.Contains(seenIn[v.Role], k.Status)
		switch v.Role {
		case db.UserRoleStaff:
			sees = slices.Contains(mine, k.FacilityID)
		case db.UserRoleDriver:
			sees = sees && k.DriverID != nil && *k.DriverID == v.DriverID
		}
		if sees && (len(p.Statuses) == 0 || slices.Contains(p.Statuses, string(k.Status))) &&
			(p.FacilityID == nil || *p.FacilityID == k.FacilityID) &&
			(p.DriverID == nil || k.DriverID != nil && *p.DriverID == *k.DriverID) &&
			!k.CreatedAt.Before(p.CreatedFrom) && k.CreatedAt.Before(p.CreatedTo) {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// listsOfEveryViewer reads, in pages, the lists of each role and of staff of no, one, some and most
// facilities, by every combination of filters, and compares them with the rows.
func listsOfEveryViewer(ctx context.Context, w *fixture) error {
	facilities, driver := w.manyPickups(ctx)
	// Their statuses were set without events.
	defer func() { must(w.owner.Exec(ctx, "DELETE FROM pickups WHERE tenant_id = $1", w.tenant)) }()
	viewers := map[string]db.Viewer{
		"admin": w.admin, "hub": w.hub, "driver": driver, "stranger": w.stranger,
		"staff of one": {}, "staff of some": {}, "staff of the older": {}, "staff of the oldest": {},
		"staff of all": {},
	}
	mine := map[string][]uuid.UUID{
		"staff of one": facilities[3:4], "staff of some": facilities[2:9],
		"staff of the older":  append(slices.Clone(facilities[8:]), facilities[1]),
		"staff of the oldest": append(slices.Clone(facilities[40:]), facilities[1]), "staff of all": facilities,
	}
	for name, of := range mine {
		viewers[name] = w.staffOf(ctx, of)
	}
	for _, facility := range facilities[:20] { // must not list its pickups twice
		w.shows(ctx, w.hub, facility)
	}
	all := w.everyPickup(ctx)
	for name, v := range viewers {
		for _, p := range w.filters(all, facilities[3], driver.DriverID) {
			if err := w.pagesAre(ctx, v, p, seenBy(all, v, mine[name], p)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// everyPickup returns the tenant's pickups, newest first.
func (w *fixture) everyPickup(ctx context.Context) []listed {
	rows := must(w.owner.Query(ctx,
		"SELECT id, facility_id, driver_id, status, created_at FROM pickups WHERE tenant_id = $1", w.tenant))
	all := must(pgx.CollectRows(rows, pgx.RowToStructByPos[listed]))
	slices.SortFunc(all, func(a, b listed) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID.String(), a.ID.String()))
	})
	return all
}

// staffOf makes a viewer of these facilities, one of them by two groups.
func (w *fixture) staffOf(ctx context.Context, facilities []uuid.UUID) db.Viewer {
	var v db.Viewer
	w.make(ctx, func(r *seed.Rows) { v = r.User(db.UserRoleStaff).Viewer })
	w.shows(ctx, v, facilities[0])
	group := w.group(ctx)
	must(w.as.AddGroupMember(ctx, db.AddGroupMemberParams{TenantID: w.tenant, GroupID: group, UserID: v.UserID}))
	must(w.owner.Exec(
		ctx, "INSERT INTO group_facilities (tenant_id, group_id, facility_id) SELECT $1, $2, unnest($3::uuid[])",
		w.tenant, group, facilities))
	return v
}

// filters returns all combinations of filters, with values that occur.
func (w *fixture) filters(all []listed, facility, driver uuid.UUID) (out []db.ListPickupsParams) {
	last := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	another := all[slices.IndexFunc(all,
		func(k listed) bool { return k.DriverID != nil && *k.DriverID != driver })].DriverID
	for _, status := range [][]string{nil, {"DELIVERED"}, {"CANCELED"}, {"CANCELED", "DRAFT", "SHIPPED"}} {
		for _, of := range []*uuid.UUID{nil, &facility} {
			for _, by := range []*uuid.UUID{nil, &driver, another} {
				for _, between := range [][2]time.Time{{{}, last}, {all[len(all)-40].CreatedAt, all[30].CreatedAt}} {
					out = append(out, db.ListPickupsParams{
						Statuses: status, FacilityID: of, DriverID: by, CreatedFrom: between[0],
						CreatedTo: between[1], MaxRows: 7,
					})
				}
			}
		}
	}
	return out
}

// pagesAre reads the first pages of a list, and compares them with the rows.
func (w *fixture) pagesAre(ctx context.Context, v db.Viewer, p db.ListPickupsParams, want []uuid.UUID) error {
	p.TenantID, p.ViewerID, p.ViewerRole, p.ViewerDriverID = w.tenant, v.UserID, v.Role, v.DriverID
	p.BeforeCreatedAt, p.BeforeID = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), uuid.Max
	for page := range 4 {
		rows, err := w.Store.ListPickups(ctx, p)
		if err != nil {
			return err
		}
		n := min(len(want), int(p.MaxRows))
		for i, r := range rows {
			if len(rows) != n || r.Pickup.ID != want[i] || r.More != (len(want) > n) {
				return fmt.Errorf("page %d of %+v has %d, more %v; want %d of %d",
					page, p, len(rows), r.More, n, len(want))
			}
			p.BeforeCreatedAt, p.BeforeID = r.Pickup.CreatedAt, r.Pickup.ID
		}
		if len(rows) != n {
			return fmt.Errorf("page %d of %+v is %d, want %d", page, p, len(rows), n)
		}
		if want = want[n:]; len(want) == 0 {
			break
		}
	}
	return nil
}

// driversNewest has the driver's newest pickups in a status at facilities of others. Behind them is one of
// the viewer's, which is newer than all that the viewer sees in another status.
func driversNewest(ctx context.Context, w *fixture) error {
	driver, facilities := w.driver(ctx, 1, 1), w.clinics(ctx, manyFacilities)
	viewer, other := w.staffOf(ctx, facilities[1:]), facilities[0]
	w.shows(ctx, w.staff, other) // who asks for them
	w.shows(ctx, w.staff, facilities[1])
	collect := func(facility uuid.UUID) uuid.UUID {
		id := w.assigned(ctx, driver, func(d *db.Draft) { d.FacilityID = facility })
		w.must(move(ctx, w.as, driver, db.TransitionNameCollect, id))
		return id
	}
	var want []uuid.UUID // oldest first
	for range 4 {
		want = append(want, collect(facilities[1]))
	}
	for n := range 5 {
		id := collect([]uuid.UUID{facilities[1], other, other, other, other}[n])
		w.must(move(ctx, w.as, w.hub, db.TransitionNameReceive, id))
		if n == 0 {
			want = append(want, id)
		}
	}
	slices.Reverse(want)
	return w.pagesAre(ctx, viewer, db.ListPickupsParams{
		DriverID: &driver.DriverID, CreatedTo: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), MaxRows: 1}, want)
}

// listsLookAtFew counts how often the lists of staff of many facilities look into an index of pickups, where
// many pickups of others are newer than theirs.
func listsLookAtFew(ctx context.Context, w *fixture) error {
	facilities, _ := w.manyPickups(ctx)
	defer func() { must(w.owner.Exec(ctx, "DELETE FROM pickups WHERE tenant_id = $1", w.tenant)) }()
	for name, of := range map[string][]uuid.UUID{"staff of all": facilities, "staff of the older": facilities[17:]} {
		v := w.staffOf(ctx, of)
		var plan node
		_, err := w.explained(w.Raw, &plan).ListPickups(ctx, db.ListPickupsParams{
			TenantID: w.tenant, ViewerID: v.UserID, ViewerRole: v.Role, MaxRows: 7,
			CreatedTo: endOfTime, BeforeCreatedAt: endOfTime, BeforeID: uuid.Max})
		if !strings.Contains(fmt.Sprint(err), errExplained.Error()) {
			return err
		}
		if looks := plan.looks("pickups"); looks > 20 {
			return fmt.Errorf("%s: %.0f looks into pickups", name, looks)
		}
	}
	return nil
}
